// Command health says what GitOps tools make of an object: kstatus, Flux' rules for conditions, and Argo CD with the scripts of
// a folder. It reads objects as JSON from standard input and answers each with one line of JSON.
//
// It must never decide what is right: it asks the tools' own code, and the tests compare.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	fluxstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// What the tools say about one object.
type verdict struct {
	// kstatus, from the library's own module.
	Kstatus outcome `json:"kstatus"`
	// The same from the fork that Flux and Helm 4 are built with.
	FluxKstatus outcome `json:"fluxKstatus"`
	// What Flux' rules find fault with if this is the status at the end of a reconciliation, and if it is one on the way.
	Finished []string `json:"finished"`
	OnTheWay []string `json:"onTheWay"`
	// Argo CD's health, and its actions by name.
	Argo    outcome           `json:"argo"`
	Actions map[string]action `json:"actions"`
}

type outcome struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if len(os.Args) != 2 {
		fail(errors.New("usage: health <folder with health.lua and actions/>"))
	}
	scripts, err := readScripts(os.Args[1])
	if err != nil {
		fail(err)
	}
	objects := json.NewDecoder(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		var text json.RawMessage
		if err := objects.Decode(&text); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			fail(err)
		}
		answer, err := judge(text, scripts)
		if err != nil {
			fail(fmt.Errorf("%w, about %s", err, text))
		}
		if err := answers.Encode(answer); err != nil {
			fail(err)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func judge(text []byte, scripts scripts) (*verdict, error) {
	// As a client reads it: whole numbers stay whole.
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	upstream, err := status.Compute(object.DeepCopy())
	if err != nil {
		return nil, fmt.Errorf("kstatus: %w", err)
	}
	flux, err := fluxstatus.Compute(object.DeepCopy())
	if err != nil {
		return nil, fmt.Errorf("kstatus of Flux: %w", err)
	}
	finished, onTheWay := checkConditions(object)
	health, err := scripts.healthOf(object)
	if err != nil {
		return nil, fmt.Errorf("health.lua: %w", err)
	}
	actions, err := scripts.actionsOf(object)
	if err != nil {
		return nil, err
	}
	return &verdict{
		Kstatus:     outcome{upstream.Status.String(), upstream.Message},
		FluxKstatus: outcome{flux.Status.String(), flux.Message},
		Finished:    finished,
		OnTheWay:    onTheWay,
		Argo:        *health,
		Actions:     actions,
	}, nil
}
