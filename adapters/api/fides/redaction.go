package fides

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/redact"
)

const tagRedaction = "Redaction patterns"

// redactionRoutes are the patterns of names that packages do not show.
func (d *Door) redactionRoutes() []route {
	const path, seed = "/privacy-request/redaction-patterns", "/privacy-request-redaction-patterns"
	return []route{
		{
			method: "GET", path: path, aliases: []place{{"GET", seed}}, scopes: []string{oauth.ScopeRedactionPatternsRead},
			id: "get_redaction_patterns", summary: "The patterns of names that packages do not show", tag: tagRedaction, call: typed(d.getPatterns),
		},
		{
			method: "PUT", path: path, aliases: []place{{"PUT", seed}}, scopes: []string{oauth.ScopeRedactionPatternsUpdate},
			id: "update_redaction_patterns", summary: "Replace all patterns of names that packages do not show", tag: tagRedaction,
			errors: []int{http.StatusBadRequest, http.StatusConflict}, malformed: http.StatusBadRequest, call: typed(d.putPatterns),
			description: "400 is for a body that is missing, no JSON or no object, and for the syntax of a pattern; 422 for limits and for values of a wrong kind.",
		},
	}
}

// patternList is a set of patterns, in its order.
type patternList struct {
	Patterns []string `json:"patterns" nullable:"false" doc:"At most 100, of at most 500 characters each, with repetitions and classes such as \\pL within reason. White space around a pattern is cut off, and one that is given again is left out."`
}

func (d *Door) getPatterns(ctx context.Context, _ *struct{}) (*patternList, error) {
	patterns, err := d.engine.Catalogue().Redaction(ctx)
	if err != nil {
		return nil, err
	}
	return &patternList{patterns}, nil
}

func (d *Door) putPatterns(ctx context.Context, in *struct{ Body patternList }) (*patternList, error) {
	set, err := redact.Compile(in.Body.Patterns, nil) // which tells one that is given again
	if err == nil {
		err = d.change(ctx, func(defs *dsr.Definitions) error { // where the host's options count
			defs.Redaction = set.Strings()
			return nil
		})
	}
	var wrong *redact.PatternsError
	if errors.As(err, &wrong) {
		return nil, patternFailure(wrong.Faults)
	}
	if err != nil {
		return nil, err
	}
	return &patternList{set.Strings()}, nil
}

// patternFailure is 422 for what goes beyond a limit, and else 400 for the
// syntax, in the words of the guide.
func patternFailure(found []redact.Fault) error {
	var limits, syntax []fault
	for _, f := range found {
		loc := []any{"body", "patterns", f.Index}
		switch f.Kind {
		case redact.TooMany:
			return refuse(http.StatusUnprocessableEntity, "Maximum %d patterns allowed", redact.MaxPatterns)
		case redact.TooLong:
			limits = append(limits, fault{"value_error", loc, fmt.Sprintf("Pattern exceeds maximum length of %d characters", redact.MaxPatternLength)})
		case redact.TooLarge:
			limits = append(limits, fault{"value_error", loc, "With this pattern the set is too large: use fewer or smaller repetitions, and fewer classes such as \\pL"})
		case redact.Blank:
			limits = append(limits, valueFault(fmt.Sprintf("Pattern at index %d cannot be empty", f.Index), "body", "patterns"))
		default:
			syntax = append(syntax, fault{"value_error", loc, "Invalid regex pattern: " + f.Pattern})
		}
	}
	if len(limits) > 0 {
		return invalid(limits...)
	}
	return &failure{status: http.StatusBadRequest, detail: syntax}
}
