package crash_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// checkOutcomes checks the counts that the request tells.
func (w *world) checkOutcomes(v *violations, req *dsr.Request) {
	want := map[string]dsr.CollectionOutcome{}
	for dataset, b := range map[string]*backend{"shop": w.shop, "crm": w.crm} {
		for _, t := range b.tables {
			n := int64(t.rows)
			want[dataset+":"+t.name] = dsr.CollectionOutcome{State: graph.Done, Rows: n, Targeted: n, Masked: n, Deleted: t.delete}
		}
	}
	for _, c := range req.Collections {
		name := c.Address.String()
		if was, should := outcomeText(c), outcomeText(want[name]); was != should {
			v.add("%s: %s instead of %s", name, was, should)
		}
		delete(want, name)
	}
	for name := range want {
		v.add("there is no outcome of %s", name)
	}
}

func outcomeText(c dsr.CollectionOutcome) string {
	text := fmt.Sprintf("%s: %d rows, %d targeted, %d masked, %d gone, %d changed", c.State, c.Rows, c.Targeted, c.Masked, c.Gone, c.Changed)
	if c.Deleted {
		text += ", deleted"
	}
	if c.Shared+c.Uncastable != 0 {
		text += fmt.Sprintf(", %d shared, %d uncastable", c.Shared, c.Uncastable)
	}
	if c.Message != "" {
		text += ", " + c.Message
	}
	return text
}

// checkPackage compares the package with the rows before, and with what its
// manifest and the outcome say of it.
func (w *world) checkPackage(v *violations, req *dsr.Request) {
	data, err := os.ReadFile(filepath.Join(w.dir, "packages", requestID+".json"))
	v.failed("package", err)
	text, err := os.ReadFile(filepath.Join(w.dir, "packages", requestID+storage.ManifestSuffix))
	v.failed("manifest", err)
	var manifest storage.Manifest
	v.failed("manifest", json.Unmarshal(text, &manifest))
	digest := sha256.Sum256(data)
	sum := hex.EncodeToString(digest[:])
	if manifest.SHA256 != sum || manifest.Bytes != int64(len(data)) || manifest.Package != requestID+".json" {
		v.add("the manifest is not that of the package")
	}
	if len(req.Packages) != 1 || req.Packages[0].SHA256 != sum || req.Packages[0].Rows != manifest.Rows {
		v.add("the outcome does not tell of the package: %+v", req.Packages)
	}
	var got map[string][]json.RawMessage
	v.failed("package", json.Unmarshal(data, &got))
	for dataset, b := range map[string]*backend{"shop": w.shop, "crm": w.crm} {
		for _, t := range b.tables {
			want := w.wantPackage(t)
			var have []string
			for _, r := range got[dataset+":"+t.name] {
				have = append(have, document(parse(string(r))))
			}
			slices.Sort(have)
			if !slices.Equal(want, have) {
				v.add("the package holds other rows of %s than expected: %d instead of %d", t.name, len(have), len(want))
			}
			delete(got, dataset+":"+t.name)
		}
	}
	if len(got) > 0 {
		v.add("the package holds %d more collections", len(got))
	}
}

// wantPackage returns what the package must hold of a table, sorted.
func (w *world) wantPackage(t table) []string {
	var want []string
	for _, r := range w.before[t.name] {
		if !mine(r.id) {
			continue
		}
		out := map[string]any{}
		for i, c := range t.columns {
			if c.masking != kept {
				out[c.name] = anyOf(r.values[i])
			}
			for _, in := range c.inside {
				value, _ := take(parse(r.values[i].String), in.path)
				node := out
				for _, name := range append([]string{c.name}, in.path[:len(in.path)-1]...) {
					if node[name] == nil {
						node[name] = map[string]any{}
					}
					node = node[name].(map[string]any)
				}
				node[in.path[len(in.path)-1]] = value
			}
		}
		want = append(want, document(out))
	}
	slices.Sort(want)
	return want
}

// checkStore checks that nothing is left that was only needed on the way.
func (w *world) checkStore(ctx context.Context, v *violations) {
	store, err := sqlitestore.Open(ctx, filepath.Join(w.dir, "store", "dsr.db"), nil)
	if err != nil {
		v.failed("open the store", err)
		return
	}
	defer func() { v.failed("close the store", store.Close()) }()
	chunks, err := store.Journal(ctx, requestID, 0, 1)
	v.failed("read the journal", err)
	if len(chunks) > 0 {
		v.add("the journal is still there")
	}
	rec, err := store.Request(ctx, requestID)
	if err != nil {
		v.failed("read the request", err)
		return
	}
	if keys := slices.Collect(maps.Keys(rec.Keys)); !slices.Equal(keys, []string{"identity"}) {
		v.add("keys were not shredded: %v", keys)
	}
	left, err := filepath.Glob(filepath.Join(w.dir, "spool", "*", "*"))
	v.failed("list the spool", err)
	if len(left) > 0 {
		v.add("the spool still holds %d parts", len(left))
	}
}
