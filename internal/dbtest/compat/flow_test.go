//go:build compat

package compat_test

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// engineFlow is an engine made for one test.
type engineFlow struct {
	t      *testing.T
	engine *dsr.Engine
	dir    string
	memory map[string]*memory.Connector // by dataset, of memoryFlow only
}

// rows are what memory connectors hold: by dataset, by collection.
type rows map[string]map[string][]map[string]any

// counts are rows by collection.
type counts map[string]int64

func email(v string) dsr.Identities { return dsr.Identities{"email": {v}} }

// newFlow makes an engine over the connections. Each serves the dataset that
// is its key, unless it names others.
func newFlow(t *testing.T, p graph.Policy, datasets []*graph.Dataset, connections ...dsr.Connection) *engineFlow {
	t.Helper()
	for i := range connections {
		if len(connections[i].Datasets) == 0 {
			connections[i].Datasets = []string{connections[i].Key}
		}
	}
	dir := t.TempDir()
	engine, err := dsr.New(dsr.Config{
		Datasets: datasets, Connections: connections, Policies: []graph.Policy{p}, Taxonomy: taxonomy(t),
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(dir, nil)}},
		Store:        memory.NewStore(), Spool: memory.NewSpool(), Keyring: dsr.NewEphemeralKeyring(),
	})
	require.NoError(t, err)
	return &engineFlow{t: t, engine: engine, dir: dir}
}

// memoryFlow makes an engine over rows in memory, one connection for each
// dataset of src.
func memoryFlow(t *testing.T, p graph.Policy, src string, data rows) *engineFlow {
	t.Helper()
	made := map[string]*memory.Connector{}
	var connections []dsr.Connection
	datasets := parse(t, src)
	for _, d := range datasets {
		made[d.Key] = memory.NewConnector(data[d.Key], nil)
		connections = append(connections, dsr.Connection{Key: d.Key, Connector: made[d.Key]})
	}
	f := newFlow(t, p, datasets, connections...)
	f.memory = made
	return f
}

// submit stores a request.
func (f *engineFlow) submit(policy string, ids dsr.Identities) *dsr.Request {
	f.t.Helper()
	req, err := f.engine.Requests().Submit(f.t.Context(), dsr.Submission{Policy: policy, Identities: ids})
	require.NoError(f.t, err)
	return req
}

// run carries a request out to its end.
func (f *engineFlow) run(policy string, ids dsr.Identities) *dsr.Request {
	f.t.Helper()
	req, err := f.engine.Requests().Advance(f.t.Context(), f.submit(policy, ids).ID)
	require.NoError(f.t, err)
	require.Equal(f.t, dsr.StatusComplete, req.Status)
	return req
}

// pack returns the only data package of a request.
func (f *engineFlow) pack(req *dsr.Request) string {
	f.t.Helper()
	require.Len(f.t, req.Packages, 1)
	data, err := os.ReadFile(filepath.Join(f.dir, req.Packages[0].Name))
	require.NoError(f.t, err)
	return string(data)
}

// samePackage compares packages as JSON values. The order of rows is the
// database's and does not count.
func samePackage(t *testing.T, want, got string) {
	t.Helper()
	var wanted, there map[string][]any
	require.NoError(t, json.Unmarshal([]byte(want), &wanted))
	require.NoError(t, json.Unmarshal([]byte(got), &there))
	require.ElementsMatch(t, slices.Collect(maps.Keys(wanted)), slices.Collect(maps.Keys(there)))
	for key := range wanted {
		require.ElementsMatch(t, wanted[key], there[key], key)
	}
}

// manifest returns how many rows of each collection a package holds, as its
// manifest tells.
func (f *engineFlow) manifest(req *dsr.Request) counts {
	f.t.Helper()
	name := strings.TrimSuffix(req.Packages[0].Name, ".json") + storage.ManifestSuffix
	data, err := os.ReadFile(filepath.Join(f.dir, name))
	require.NoError(f.t, err)
	var m storage.Manifest
	require.NoError(f.t, json.Unmarshal(data, &m))
	out := counts{}
	for _, c := range m.Collections {
		out[c.Address] = c.Rows
	}
	return out
}

// found counts the rows of every collection that was visited.
func found(req *dsr.Request) counts {
	out := counts{}
	for _, c := range req.Collections {
		if c.State == graph.Done {
			out[c.Address.String()] = c.Rows
		}
	}
	return out
}

// masked counts the rows that were masked or deleted, of every collection that
// erasure rules reach.
func masked(req *dsr.Request) counts {
	out := counts{}
	for _, c := range req.Collections {
		if c.Deleted || len(c.MaskedFields) > 0 {
			out[c.Address.String()] = c.Masked
		}
	}
	return out
}

// spy passes everything on to a connector, and takes notes.
type spy struct {
	dsr.Connector
	// failRead and failApply, where set, decide on errors to return instead.
	failRead  func(collection string) error
	failApply func(collection string) error

	mu      sync.Mutex
	queries []dsr.Query
	chunks  []dsr.Chunk
}

func (s *spy) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	s.mu.Lock()
	s.queries = append(s.queries, *q)
	s.mu.Unlock()
	if s.failRead != nil {
		if err := s.failRead(q.Collection.Name); err != nil {
			return func(yield func(dsr.Row, error) bool) { yield(dsr.Row{}, err) }
		}
	}
	return s.Connector.Read(ctx, q)
}

func (s *spy) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	s.mu.Lock()
	s.chunks = append(s.chunks, *ch)
	s.mu.Unlock()
	if s.failApply != nil {
		if err := s.failApply(ch.Collection.Name); err != nil {
			return nil, err
		}
	}
	return s.Connector.Apply(ctx, ch)
}

// criteria returns what a collection was asked by: values by field, of all
// queries together.
func (s *spy) criteria(collection string) map[string][][]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := map[string][][]any{}
	for _, q := range s.queries {
		if q.Collection.Name != collection {
			continue
		}
		for _, c := range q.Criteria {
			asked[join(c.Fields)] = append(asked[join(c.Fields)], c.Values...)
		}
	}
	return asked
}

// reads lists the collections that were read, in alphabetical order, once for
// each query.
func (s *spy) reads() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for _, q := range s.queries {
		names = append(names, q.Collection.Name)
	}
	slices.Sort(names)
	return names
}

// applies lists the collections that were written, in that order.
func (s *spy) applies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for _, ch := range s.chunks {
		names = append(names, ch.Collection.Name)
	}
	return names
}

func datasets(list ...*graph.Dataset) []*graph.Dataset { return list }

// prefixed puts the dataset's key before the names of collections.
func prefixed(dataset string, c counts) counts {
	out := counts{}
	for name, n := range c {
		out[dataset+":"+name] = n
	}
	return out
}
