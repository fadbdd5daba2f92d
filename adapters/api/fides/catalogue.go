package fides

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// notHere is what is said of what the host configured.
const notHere = "It comes from the host's configuration and cannot be changed here."

// changeEach changes the catalogue by n items of a list, in one commit of those
// that can be. Edit puts one item in, or says why not and then must not have
// changed anything; it must not put in what was put in before, in the same call.
// Subject names an item as the catalogue's faults do. What comes back is why
// items failed, by their position.
func (d *Door) changeEach(ctx context.Context, n int, subject func(i int) string, edit editItem) (map[int]string, error) {
	return d.changeJudged(ctx, n, subject, func(*dsr.Definitions) error { return nil }, edit)
}

// editItem puts an item into the catalogue. Again says that one of the same
// subject was put in before.
type editItem func(defs *dsr.Definitions, i int, again bool) (message string)

// changeJudged is changeEach of what may be refused as a whole: by what there is
// before any item is put in.
func (d *Door) changeJudged(
	ctx context.Context, n int, subject func(i int) string, judge func(*dsr.Definitions) error, edit editItem,
) (map[int]string, error) {
	refused := map[int]string{} // by the catalogue
	for {
		failed := map[int]string{}
		_, err := d.engine.Catalogue().Update(ctx, func(defs *dsr.Definitions) error {
			if err := judge(defs); err != nil {
				return err
			}
			failed = maps.Clone(refused)
			put := map[string]bool{}
			for i := range n {
				if refused[i] != "" {
					continue
				}
				if message := edit(defs, i, put[subject(i)]); message != "" {
					failed[i] = message
					continue
				}
				put[subject(i)] = true
			}
			return nil
		})
		var faults *graph.FaultError
		if !errors.As(err, &faults) {
			return failed, catalogueFailure(err)
		}
		before := len(refused)
		for i := range n {
			if failed[i] == "" {
				if message := messagesOf(faults, subject(i)); message != "" {
					refused[i] = message
				}
			}
		}
		if len(refused) == before {
			return nil, catalogueFailure(err)
		}
	}
}

// change changes the catalogue at once.
func (d *Door) change(ctx context.Context, edit func(defs *dsr.Definitions) error) error {
	_, err := d.engine.Catalogue().Update(ctx, edit)
	return catalogueFailure(err)
}

// problemsWithin is how long a change waits to learn what cannot be used.
const problemsWithin = 2 * time.Second

// freshProblems returns a function that tells what of the catalogue cannot be
// used any more, or not yet, which could be or was not there before: a dataset
// that keeps all policies from taking requests, for one. What a connection itself
// lacks is not told: its secrets come with the next call. If it takes too long
// nothing is told, since the change is made all the same.
func (d *Door) freshProblems(ctx context.Context) func() []string {
	problems := func() ([]dsr.CatalogueProblem, error) {
		ctx, cancel := context.WithTimeout(ctx, problemsWithin)
		defer cancel()
		list, err := d.engine.Catalogue().Problems(ctx)
		for i := range list {
			list[i].Cause = "" // it may hold addresses and, if a type breaks its promise, secrets
		}
		return list, err
	}
	before, err := problems()
	return func() (messages []string) {
		after, failed := problems()
		if err != nil || failed != nil {
			return nil
		}
		for _, p := range after {
			if p.Kind != dsr.CatalogueConnection && !slices.Contains(before, p) {
				messages = append(messages, cut(p.String(), maxMessage))
			}
		}
		return messages
	}
}

// definitions are those of now.
func (d *Door) definitions(ctx context.Context) (*dsr.Definitions, error) {
	return d.engine.Catalogue().Read(ctx)
}

// byKey describes the order of newestFirst.
const byKey = "Entries of one call are equally new, and come by key. Those of the host's configuration are last."

// newestFirst sorts definitions. Entries of one call have one time, and come by
// key. Those of the host's configuration, which have no times, come last.
func newestFirst[T any](list []T, of func(T) *dsr.Defined) []T {
	slices.SortFunc(list, func(a, b T) int {
		x, y := of(a), of(b)
		return cmp.Or(y.CreatedAt.Compare(x.CreatedAt), strings.Compare(x.Key, y.Key))
	})
	return list
}

// catalogueFailure tells why the catalogue did not take a change.
func catalogueFailure(err error) error {
	var known *failure
	var faults *graph.FaultError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &faults):
		return &failure{status: http.StatusUnprocessableEntity, detail: faultText(faults), cause: err}
	case errors.Is(err, dsr.ErrConflict):
		return &failure{status: http.StatusConflict, detail: "Others changed the same meanwhile. Try again.", cause: err}
	}
	return err
}

// messagesOf are those about a subject in one line, or about all for none, without
// naming any.
func messagesOf(faults *graph.FaultError, subject string) string {
	var messages []string
	for _, f := range faults.Faults {
		if subject == "" || f.Subject == subject {
			messages = append(messages, f.Message)
		}
	}
	return strings.Join(messages, "; ")
}

// faultText tells all faults in one line, with their subjects.
func faultText(faults *graph.FaultError) string {
	texts := make([]string, len(faults.Faults))
	for i, f := range faults.Faults {
		texts[i] = f.Text()
	}
	return strings.Join(texts, "; ")
}

// scalars are settings as they come in: texts, numbers and booleans, which the
// catalogue keeps as texts. Null is as if the name were not there.
type scalars map[string]string

// Schema implements [huma.SchemaProvider].
func (scalars) Schema(huma.Registry) *huma.Schema {
	names, length := 100, 100_000
	return &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeObject, MaxProperties: &names, AdditionalProperties: &huma.Schema{AnyOf: []*huma.Schema{
			{Type: huma.TypeString, MaxLength: &length}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}, {Type: "null"},
		}}},
		{Type: "null"},
	}}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *scalars) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil || raw == nil {
		*s = nil
		return err
	}
	*s = scalars{}
	for name, value := range raw {
		var v string
		switch {
		case string(value) == "null":
			continue
		case value[0] != '"':
			v = string(value)
		default:
			if err := json.Unmarshal(value, &v); err != nil {
				return err
			}
		}
		(*s)[name] = v
	}
	return nil
}

// fieldFaults checks settings against those that a type takes. The catalogue
// does it too; here every fault has its place.
func fieldFaults(fields []dsr.SecretField, given map[string]string, loc ...any) (faults []fault) {
	at := func(name string) []any { return append(slices.Clone(loc), name) }
	for _, f := range fields {
		if !f.Optional && given[f.Name] == "" {
			faults = append(faults, fault{"missing", at(f.Name), "Field required"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(fields, func(f dsr.SecretField) bool { return f.Name == name }) {
			faults = append(faults, fault{"extra_forbidden", at(name), "Extra inputs are not permitted"})
		}
	}
	return faults
}

// typeFault refuses every type where there is none. Where there are some, the
// schema names them.
func typeFault[T any](types map[string]T, key string, loc ...any) []fault {
	if _, ok := types[key]; ok {
		return nil
	}
	return []fault{valueFault("this server has no such type", loc...)}
}
