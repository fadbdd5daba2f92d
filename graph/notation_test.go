package graph_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// notation reads datasets from a short notation. A line that is not indented
// names a dataset or a collection, an indented one a field (with slashes below
// an object); words behind the name annotate it:
//
//	shop after=crm
//	shop:customer cat=user.contact
//	  id key
//	  email id=email cat=user.contact.email
//	  address/city ref=shop:address.city
func notation(t testing.TB, text string) []*graph.Dataset {
	t.Helper()
	var datasets []*graph.Dataset
	byKey := map[string]*graph.Dataset{}
	dataset := func(key string) *graph.Dataset {
		if byKey[key] == nil {
			byKey[key] = &graph.Dataset{Key: key}
			datasets = append(datasets, byKey[key])
		}
		return byKey[key]
	}
	var c *graph.Collection
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		pos := graph.Position{File: "map", Line: n, Column: 1}
		indented := strings.HasPrefix(line, "  ")
		key, name, isCollection := strings.Cut(words[0], ":")
		switch {
		case indented:
			addField(t, c, strings.Split(words[0], "/"), words[1:], pos)
		case isCollection:
			c = &graph.Collection{Name: name} // without a place, as written in Go
			d := dataset(key)
			d.Collections = append(d.Collections, c)
			for _, word := range words[1:] {
				annotateCollection(t, c, word)
			}
		default:
			for _, word := range words[1:] {
				after, ok := strings.CutPrefix(word, "after=")
				require.True(t, ok, word)
				dataset(key).After = append(dataset(key).After, after)
			}
		}
	}
	return datasets
}

func annotateCollection(t testing.TB, c *graph.Collection, word string) {
	t.Helper()
	key, value, _ := strings.Cut(word, "=")
	address, _ := graph.ParseAddress(value)
	switch key {
	case "cat":
		c.Categories = append(c.Categories, graph.Category(value))
	case "after":
		c.After = append(c.After, address)
	case "erase_after":
		c.EraseAfter = append(c.EraseAfter, address)
	case "skip":
		c.SkipProcessing = true
	case "delete":
		c.Masking = &graph.Masking{Strategy: graph.StrategyDelete}
	default:
		require.Fail(t, "unknown annotation", word)
	}
}

func addField(t testing.TB, c *graph.Collection, path, words []string, pos graph.Position) {
	t.Helper()
	fields := &c.Fields
	for _, name := range path[:len(path)-1] {
		parent, ok := (&graph.Collection{Fields: *fields}).Field(graph.Path{name})
		if !ok {
			parent = &graph.Field{Name: name, Pos: pos}
			*fields = append(*fields, parent)
		}
		fields = &parent.Fields
	}
	f := &graph.Field{Name: path[len(path)-1], Pos: pos}
	*fields = append(*fields, f)
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "key":
			f.PrimaryKey = true
		case "id":
			f.Identity = value
		case "cat":
			f.Categories = append(f.Categories, graph.Category(value))
		case "ref", "to", "from":
			dataset, field, _ := strings.Cut(value, ":")
			direction := graph.Direction(key)
			if key == "ref" {
				direction = graph.Undirected
			}
			f.References = append(f.References, graph.Reference{Dataset: dataset, Field: field, Direction: direction, Pos: pos})
		case "read_only":
			f.ReadOnly = true
		case "array":
			f.Type.Array = true
		case "length":
			n, err := strconv.Atoi(value)
			require.NoError(t, err)
			f.Length = n
		case "mask":
			f.Masking = &graph.Masking{Strategy: value}
		case "custom":
			f.CustomRequestField = value
		default:
			require.Fail(t, "unknown annotation", word)
		}
	}
}

func dataMap(t testing.TB, text string) *graph.DataMap {
	t.Helper()
	m, err := graph.NewDataMap(notation(t, text)...)
	require.NoError(t, err)
	return m
}

// everything targets all that is the data subject's.
func everything() *graph.Policy {
	return &graph.Policy{Key: "all", AllowEmptyTargets: true, Rules: []graph.Rule{
		{Key: "get", Action: graph.Access, Targets: []graph.Category{"user"}},
	}}
}

func accessTo(targets ...graph.Category) *graph.Policy {
	return &graph.Policy{Key: "get", Rules: []graph.Rule{{Key: "get", Action: graph.Access, Targets: targets}}}
}

func erasureOf(targets ...graph.Category) *graph.Policy {
	return &graph.Policy{Key: "erase", Rules: []graph.Rule{{
		Key: "erase", Action: graph.Erasure, Targets: targets, Masking: &graph.Masking{Strategy: "null_rewrite"},
	}}}
}

func newPlan(t testing.TB, m *graph.DataMap, policy *graph.Policy, kinds ...string) *graph.Plan {
	t.Helper()
	plan, err := graph.NewPlan(m, policy, kinds, nil)
	require.NoError(t, err)
	return plan
}

// faults returns the faults of a refused plan or data map, one string each.
func faults(t testing.TB, err error) []string {
	t.Helper()
	var fault *graph.FaultError
	require.ErrorAs(t, err, &fault)
	var out []string
	for _, d := range fault.Faults {
		require.Equal(t, graph.Error, d.Severity)
		text := d.Subject + ": " + d.Message
		if d.Pos.Line > 0 {
			text = strconv.Itoa(d.Pos.Line) + " " + text
		}
		out = append(out, text)
	}
	return out
}

// flow writes how a plan finds rows, one line a step in plan order.
func flow(p *graph.Plan) []string {
	var out []string
	for _, s := range p.Steps {
		var ways []string
		for _, in := range s.Inputs {
			if in.Identity != "" {
				ways = append(ways, paths(in.Fields)+"="+in.Identity)
			}
			for _, src := range in.Sources {
				ways = append(ways, paths(in.Fields)+"="+src.From.String()+"."+paths(src.Fields))
			}
		}
		out = append(out, strconv.Itoa(s.Level)+" "+s.Address().String()+" "+strings.Join(ways, " "))
	}
	return out
}

func paths(list []graph.Path) string {
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return strings.Join(out, "+")
}

func step(t testing.TB, p *graph.Plan, address string) *graph.Step {
	t.Helper()
	a, err := graph.ParseAddress(address)
	require.NoError(t, err)
	s, ok := p.Step(a)
	require.True(t, ok, address)
	return s
}
