// Command rules says what an older Kubernetes makes of the CEL rules of definitions and admission policies: it compiles
// each one with the libraries that a server of the given version has for new expressions, by the API server's own code. It reads
// CustomResourceDefinitions and ValidatingAdmissionPolicies as JSON from standard input, and answers each rule with one line.
//
// It must never judge a rule by its text.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	celgo "github.com/google/cel-go/cel"
	admission "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	definitions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	policycel "k8s.io/apiserver/pkg/admission/plugin/cel"
	limits "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// One rule, and what is wrong with it.
type answer struct {
	Rule  string `json:"rule"`
	Error string `json:"error"`
}

func main() {
	if len(os.Args) != 2 {
		fail(errors.New("usage: rules <version, such as 1.30>"))
	}
	parsed, err := version.ParseGeneric(os.Args[1])
	if err != nil {
		fail(err)
	}
	libraries := environment.MustBaseEnvSet(parsed)
	manifests := json.NewDecoder(os.Stdin)
	for {
		var text json.RawMessage
		if err := manifests.Decode(&text); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			fail(err)
		}
		if err := compile(text, libraries); err != nil {
			fail(fmt.Errorf("%w, about %s", err, text))
		}
	}
}

func compile(text []byte, libraries *environment.EnvSet) error {
	var kind meta.TypeMeta
	if err := json.Unmarshal(text, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "CustomResourceDefinition":
		var definition definitions.CustomResourceDefinition
		if err := json.Unmarshal(text, &definition); err != nil {
			return err
		}
		return compileDefinition(&definition, libraries)
	case "ValidatingAdmissionPolicy":
		var policy admission.ValidatingAdmissionPolicy
		if err := json.Unmarshal(text, &policy); err != nil {
			return err
		}
		return compilePolicy(&policy, libraries)
	default:
		return fmt.Errorf("%q has no rules", kind.Kind)
	}
}

func compileDefinition(definition *definitions.CustomResourceDefinition, libraries *environment.EnvSet) error {
	for _, served := range definition.Spec.Versions {
		var internal apiextensions.JSONSchemaProps
		err := definitions.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(served.Schema.OpenAPIV3Schema, &internal, nil)
		if err != nil {
			return err
		}
		root, err := schema.NewStructural(&internal)
		if err != nil {
			return err
		}
		if err := compileSchema(root, true, libraries); err != nil {
			return err
		}
	}
	return nil
}

func compileSchema(at *schema.Structural, isRoot bool, libraries *environment.EnvSet) error {
	results, err := schemacel.Compile(
		at, model.SchemaDeclType(at, isRoot), limits.PerCallLimit, libraries, schemacel.NewExpressionsEnvLoader())
	if err != nil {
		return err
	}
	for i, result := range results {
		say(at.XValidations[i].Rule, result.Error)
	}
	for _, property := range at.Properties {
		if err := compileSchema(&property, false, libraries); err != nil {
			return err
		}
	}
	for _, inner := range []*schema.Structural{at.Items, additional(at)} {
		if inner == nil {
			continue
		}
		if err := compileSchema(inner, false, libraries); err != nil {
			return err
		}
	}
	return nil
}

func additional(at *schema.Structural) *schema.Structural {
	if at.AdditionalProperties == nil {
		return nil
	}
	return at.AdditionalProperties.Structural
}

// An expression of a policy. What it has to be is checked by the API server that the policy is installed in.
type expression struct{ name, text string }

func (e expression) GetName() string            { return e.name }
func (e expression) GetExpression() string      { return e.text }
func (e expression) ReturnTypes() []*celgo.Type { return []*celgo.Type{celgo.AnyType} }

func compilePolicy(policy *admission.ValidatingAdmissionPolicy, libraries *environment.EnvSet) error {
	compiler, err := policycel.NewCompositedCompiler(libraries)
	if err != nil {
		return err
	}
	options := policycel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil, HasAuthorizer: true}
	report := func(text string, result policycel.CompilationResult) {
		say(text, result.Error)
	}
	for _, variable := range policy.Spec.Variables {
		named := expression{variable.Name, variable.Expression}
		report(variable.Expression, compiler.CompileAndStoreVariable(named, options, environment.NewExpressions))
	}
	var texts []string
	for _, condition := range policy.Spec.MatchConditions {
		texts = append(texts, condition.Expression)
	}
	for _, validation := range policy.Spec.Validations {
		texts = append(texts, validation.Expression)
		if validation.MessageExpression != "" {
			texts = append(texts, validation.MessageExpression)
		}
	}
	for _, text := range texts {
		report(text, compiler.CompileCELExpression(expression{"", text}, options, environment.NewExpressions))
	}
	return nil
}

func say(rule string, problem *cel.Error) {
	line := answer{Rule: rule}
	if problem != nil {
		line.Error = problem.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "rules:", err)
	os.Exit(1)
}
