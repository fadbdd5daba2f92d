//go:build compat

package compat_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// dataDir is the folder with Fides' sample data.
func dataDir(t testing.TB) string {
	t.Helper()
	return folder(t, "DSR_COMPAT_DATA", filepath.FromSlash("../../../../shared/data/fides"))
}

// seedsDir is the folder with Fides' tutorial.
func seedsDir(t testing.TB) string {
	t.Helper()
	return folder(t, "DSR_COMPAT_SEEDS", filepath.FromSlash("../../../../shared/seeds"))
}

func folder(t testing.TB, variable, otherwise string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		dir = otherwise
	}
	info, err := os.Stat(dir)
	require.NoError(t, err, "the files to compare with are missing: set %s to their folder", variable)
	require.True(t, info.IsDir(), "%s is no folder: set %s to the one with the files to compare with", dir, variable)
	return dir
}

// read returns a file of the sample data.
func read(t testing.TB, name string) string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(dataDir(t), filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(src)
}

// dataset loads a file of the sample data that holds one dataset. It is the
// test's own and may be changed before it is used.
func dataset(t testing.TB, name string) *graph.Dataset {
	t.Helper()
	datasets, diags := graph.Load(name, []byte(read(t, name)), nil)
	require.NoError(t, diags.Err())
	require.Len(t, datasets, 1)
	return datasets[0]
}

// parse loads datasets that a test spells out, strictly.
func parse(t testing.TB, src string) []*graph.Dataset {
	t.Helper()
	datasets, diags := graph.Load("test.yml", []byte(src), &graph.LoadOptions{Strict: true, Taxonomy: taxonomy(t)})
	require.NoError(t, diags.Err())
	return datasets
}

// taxonomy is the default one with what some tests select by.
func taxonomy(t testing.TB) *graph.Taxonomy {
	t.Helper()
	tax, err := graph.DefaultTaxonomy().With("A", "B", "C", "D", "E", "user.name_history")
	require.NoError(t, err)
	return tax
}

// collection returns a collection of a dataset, to be changed.
func collection(t testing.TB, d *graph.Dataset, name string) *graph.Collection {
	t.Helper()
	for _, c := range d.Collections {
		if c.Name == name {
			return c
		}
	}
	require.Fail(t, "no such collection", "%s has no collection %s", d.Key, name)
	return nil
}

// field returns a field of a dataset, to be changed.
func field(t testing.TB, d *graph.Dataset, name string, path ...string) *graph.Field {
	t.Helper()
	f, ok := collection(t, d, name).Field(path)
	require.True(t, ok, "%s:%s has no field %v", d.Key, name, path)
	return f
}

// policy makes a policy whose key is "policy".
func policy(rules ...graph.Rule) graph.Policy { return graph.Policy{Key: "policy", Rules: rules} }

func access(targets ...graph.Category) graph.Rule {
	return graph.Rule{Key: "access", Action: graph.Access, Targets: targets}
}

// erasure makes a rule whose key names its strategy; the configuration is
// pairs of keys and values.
func erasure(strategy string, configuration map[string]any, targets ...graph.Category) graph.Rule {
	return graph.Rule{
		Key: "erase by " + strategy, Action: graph.Erasure, Targets: targets,
		Masking: &graph.Masking{Strategy: strategy, Configuration: configuration},
	}
}

// plan plans the policy for the given kinds of identity.
func plan(t testing.TB, p graph.Policy, datasets []*graph.Dataset, kinds ...string) (*graph.Plan, error) {
	t.Helper()
	m, err := graph.NewDataMap(datasets...)
	require.NoError(t, err)
	return graph.NewPlan(m, &p, kinds, &graph.PlanOptions{Taxonomy: taxonomy(t)})
}

// flow describes the ways of a plan, one line for each: where its values come
// from and the fields that they find rows by.
func flow(p *graph.Plan) []string {
	var lines []string
	for _, s := range p.Steps {
		for _, in := range s.Inputs {
			if in.Identity != "" {
				lines = append(lines, fmt.Sprintf("%d %s → %s.%s", s.Level, in.Identity, s.Address(), join(in.Fields)))
			}
			for _, src := range in.Sources {
				lines = append(lines, fmt.Sprintf("%d %s.%s → %s.%s", s.Level, src.From, join(src.Fields), s.Address(), join(in.Fields)))
			}
		}
	}
	return lines
}

func join(paths []graph.Path) string {
	if len(paths) == 1 {
		return paths[0].String()
	}
	text := "("
	for i, p := range paths {
		if i > 0 {
			text += ", "
		}
		text += p.String()
	}
	return text + ")"
}

// terminals are the steps that feed no other.
func terminals(p *graph.Plan) []string {
	var names []string
	for _, s := range p.Steps {
		if !p.Feeds(s.Address()) {
			names = append(names, s.Address().String())
		}
	}
	return names
}

// skipped tells what a plan leaves out, and why.
func skipped(p *graph.Plan) map[string]string {
	reasons := map[string]string{}
	for _, s := range p.Skipped {
		reasons[s.Address.String()] = s.Reason
	}
	return reasons
}

// fill puts text into the places of a dataset that are left open.
func fill(src string, text ...any) string { return fmt.Sprintf(src, text...) }
