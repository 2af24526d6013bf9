// Flux' view of an object's conditions: runs the checks of Flux' own library over them.
// It must never soften what those find: failures and warnings count alike.

package main

import (
	"context"

	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/fluxcd/pkg/runtime/conditions/check"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kerrors "k8s.io/apimachinery/pkg/util/errors"
)

// What Flux' rules for conditions find fault with, failures and warnings alike: once as the status at the end of a
// reconciliation, once as one on the way.
func checkConditions(object *unstructured.Unstructured) (finished, onTheWay []string) {
	// Suspended is not among them: it says that a wish is honoured, not that something is wrong.
	abnormal := &check.Conditions{NegativePolarity: []string{"Stalled", "Reconciling"}}
	return complaints(check.NewChecker(nil, abnormal), object), complaints(check.NewInProgressChecker(nil), object)
}

func complaints(checker *check.Checker, object *unstructured.Unstructured) []string {
	checker.DisableFetch = true
	failures, warnings := checker.Check(context.Background(), conditions.UnstructuredGetter(object.DeepCopy()))
	found := []string{}
	for _, err := range []error{failures, warnings} {
		if all, ok := err.(kerrors.Aggregate); ok {
			for _, one := range all.Errors() {
				found = append(found, one.Error())
			}
		} else if err != nil {
			found = append(found, err.Error())
		}
	}
	return found
}
