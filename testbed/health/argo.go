// Argo CD's view of an object: runs the scripts of a folder as Argo CD runs them, for its health and for each action offered.
// It must never help a script along: what Argo CD would not accept or would cut off is an error here, too.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Argo CD stops a script after this long.
const patience = time.Second

// What Argo CD takes for a health; it shows every other word as Unknown.
var healths = []string{"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}

// Argo CD's scripts for a kind: the text of each, actions by name.
type scripts struct {
	health    string
	discovery string
	actions   map[string]string
}

// An action as Argo CD offers it, and the object that it would make of the one that it is given.
type action struct {
	Disabled bool           `json:"disabled"`
	Result   map[string]any `json:"result"`
}

func readScripts(folder string) (scripts, error) {
	found := scripts{actions: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(folder, "actions", "*.lua"))
	if err != nil {
		return found, err
	}
	for _, file := range append(files, filepath.Join(folder, "health.lua")) {
		text, err := os.ReadFile(file)
		if err != nil {
			return found, err
		}
		switch name := strings.TrimSuffix(filepath.Base(file), ".lua"); name {
		case "health":
			found.health = string(text)
		case "discovery":
			found.discovery = string(text)
		default:
			found.actions[name] = string(text)
		}
	}
	return found, nil
}

func (s scripts) healthOf(object *unstructured.Unstructured) (*outcome, error) {
	table, err := run(s.health, object)
	if err != nil {
		return nil, err
	}
	health := &outcome{}
	if err := convert(fromLua(table, nil), health); err != nil {
		return nil, err
	}
	if !slices.Contains(healths, health.Status) {
		return nil, fmt.Errorf("%q is no health", health.Status)
	}
	return health, nil
}

func (s scripts) actionsOf(object *unstructured.Unstructured) (map[string]action, error) {
	table, err := run(s.discovery, object)
	if err != nil {
		return nil, fmt.Errorf("discovery.lua: %w", err)
	}
	actions := map[string]action{}
	if err := convert(fromLua(table, map[string]any{}), &actions); err != nil {
		return nil, fmt.Errorf("discovery.lua: %w", err)
	}
	for name, action := range actions {
		script, ok := s.actions[name]
		if !ok {
			return nil, fmt.Errorf("discovery.lua: offers %s, which has no script", name)
		}
		table, err := run(script, object)
		if err != nil {
			return nil, fmt.Errorf("%s.lua: %w", name, err)
		}
		result, ok := fromLua(table, object.Object).(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s.lua: does not return an object", name)
		}
		action.Result = result
		actions[name] = action
	}
	return actions, nil
}

// Runs a script with the global obj, on the engine that Argo CD has and with no more than Argo CD opens to it: no string, math,
// io, debug or coroutine, and an os that has to be required and knows the time and no more.
func run(script string, object *unstructured.Unstructured) (*lua.LTable, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	open := func(name string, library lua.LGFunction) error {
		return state.CallByParam(lua.P{Fn: state.NewFunction(library), Protect: true}, lua.LString(name))
	}
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		if err := open(library.name, library.open); err != nil {
			return nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, timeOnly)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("returns %s, not a table", state.Get(-1).Type())
	}
	return table, nil
}

// The part of Lua's os that Argo CD leaves.
func timeOnly(state *lua.LState) int {
	whole := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer whole.Close()
	lua.OpenOs(whole)
	module := state.NewTable()
	for _, name := range []string{"time", "date"} {
		function := whole.GetField(whole.Get(-1), name).(*lua.LFunction)
		module.RawSetString(name, state.NewFunction(function.GFunction))
	}
	state.Push(module)
	return 1
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

// The value as JSON has it. Lua does not tell an empty list from an empty map; like Argo CD, this takes an empty table for what
// stood there before.
func fromLua(value lua.LValue, before any) any {
	switch value := value.(type) {
	case lua.LBool:
		return bool(value)
	case lua.LString:
		return string(value)
	case lua.LNumber:
		return float64(value)
	case *lua.LTable:
		if value.Len() > 0 {
			return listOf(value, before)
		}
		_, wasMap := before.(map[string]any)
		if key, _ := value.Next(lua.LNil); key == lua.LNil && !wasMap {
			return []any{}
		}
		return mapOf(value, before)
	}
	return nil
}

func listOf(table *lua.LTable, before any) []any {
	known, _ := before.([]any)
	list := make([]any, 0, table.Len())
	for index := range table.Len() {
		var was any
		if index < len(known) {
			was = known[index]
		}
		list = append(list, fromLua(table.RawGetInt(index+1), was))
	}
	return list
}

func mapOf(table *lua.LTable, before any) map[string]any {
	known, _ := before.(map[string]any)
	entries := map[string]any{}
	table.ForEach(func(key, item lua.LValue) {
		entries[key.String()] = fromLua(item, known[key.String()])
	})
	return entries
}

func convert(value, into any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
