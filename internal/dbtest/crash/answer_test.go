package crash_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// check returns what is wrong with the shop once all requests have ended and
// the service has stopped: nothing, when every targeted value was masked once,
// nothing else was touched, every package holds what it must, every request
// went its way once, and nothing personal lies where it must not.
func (w *shopWorld) check(ctx context.Context) violations {
	var v violations
	w.checkRows(ctx, &v)
	w.checkWrites(ctx, &v)
	w.checkPackages(&v)
	w.checkRequests(ctx, &v)
	w.checkTrail(ctx, &v)
	w.checkTraces(ctx, &v)
	return v
}

// checkRows compares the rows with those that people brought.
func (w *shopWorld) checkRows(ctx context.Context, v *violations) {
	m := &masks{hashes: map[string]string{}, drawn: map[string]bool{}}
	for _, t := range w.shop.tables {
		now := map[string][]sql.NullString{}
		names := make([]string, len(t.columns))
		for i, c := range t.columns {
			names[i] = c.name
		}
		v.failed("read "+t.name, w.shop.query(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+t.name, len(names), func(values []sql.NullString) error {
			now[values[0].String] = slices.Clone(values)
			return nil
		}))
		n := 0
		for _, p := range w.people {
			for _, before := range p.rows(t.name) {
				n++
				after, ok := now[before[0].String]
				if !ok {
					v.add("%s %s is gone", t.name, before[0].String)
					continue
				}
				for i, c := range t.columns {
					how := kept
					if p.erased() {
						how = c.masking
					}
					if fault := m.fault(how, anyOf(before[i]), anyOf(after[i])); fault != "" {
						v.add("%s %s %s %s", t.name, before[0].String, c.name, fault)
					}
				}
			}
		}
		if n != len(now) {
			v.add("%s has %d rows instead of %d", t.name, len(now), n)
		}
	}
}

// rows are those that a person brought to a table.
func (p *person) rows(table string) [][]sql.NullString {
	text := func(v any) sql.NullString { return sql.NullString{String: fmt.Sprint(v), Valid: true} }
	if table == "customers" {
		return [][]sql.NullString{{text(p.id), text(p.email), text(p.name)}}
	}
	var rows [][]sql.NullString
	for _, o := range p.orders {
		note := sql.NullString{}
		if o.note != nil {
			note = text(*o.note)
		}
		rows = append(rows, []sql.NullString{text(o.id), text(p.id), text("teapot"), note})
	}
	return rows
}

// checkWrites compares what the triggers logged with what had to be written.
func (w *shopWorld) checkWrites(ctx context.Context, v *violations) {
	want, got := map[string]int{}, map[string]int{}
	for _, p := range w.people {
		if !p.erased() {
			continue
		}
		for _, t := range w.shop.tables {
			for _, r := range p.rows(t.name) {
				for i, c := range t.columns {
					if c.masking != kept && r[i].Valid {
						key := t.name + " " + r[0].String + " "
						want[key+"UPDATE"], want[key+c.name] = 1, 1
					}
				}
			}
		}
	}
	v.failed("read the audit", w.shop.query(ctx, "SELECT tbl, id, what FROM audit", 3, func(r []sql.NullString) error {
		got[r[0].String+" "+r[1].String+" "+r[2].String]++
		return nil
	}))
	for key := range merged(want, got) {
		if want[key] != got[key] {
			v.add("%s happened %d times instead of %d", key, got[key], want[key])
		}
	}
}

// checkVisible checks that each package that can be seen is whole and has its
// manifest.
func (w *shopWorld) checkVisible(v *violations) {
	found, err := filepath.Glob(w.path("packages", "*.json"))
	v.failed("list the packages", err)
	for _, path := range found {
		if strings.HasSuffix(path, storage.ManifestSuffix) {
			continue
		}
		data, err := os.ReadFile(path)
		v.failed("read a package", err)
		if !json.Valid(data) {
			v.add("a package can be seen that is not whole")
		}
		_, err = os.Stat(strings.TrimSuffix(path, ".json") + storage.ManifestSuffix)
		v.failed("manifest of a visible package", err)
	}
}

// checkPackages checks that there are the packages that were asked for, and no
// others, with the rows as they were.
func (w *shopWorld) checkPackages(v *violations) {
	w.checkVisible(v)
	files := map[string]bool{}
	entries, err := os.ReadDir(w.path("packages"))
	v.failed("list the packages", err)
	for _, e := range entries {
		files[e.Name()] = true
	}
	for _, p := range w.people {
		for _, wish := range p.wishes {
			if wish.policy == "erasure" || wish.end != dsr.StatusComplete {
				continue
			}
			data, err := os.ReadFile(w.path("packages", wish.id+".json"))
			v.failed("package", err)
			var got map[string][]any
			v.failed("package", json.Unmarshal(data, &got))
			if want := p.pack(); sorted(got) != sorted(want) {
				v.add("the package of %s is not what was to be handed over", wish.reference)
			}
			delete(files, wish.id+".json")
			delete(files, wish.id+storage.ManifestSuffix)
		}
	}
	for name := range files {
		v.add("there is a file %s among the packages", name)
	}
}

// pack is what has to be handed over to a person.
func (p *person) pack() map[string][]any {
	all := map[string][]any{"shop:customers": {map[string]any{"id": p.id, "email": p.email, "name": p.name}}}
	for _, o := range p.orders {
		all["shop:orders"] = append(all["shop:orders"], map[string]any{"id": o.id, "product": "teapot", "note": o.note})
	}
	return all
}

// sorted spells collections, whatever the order of their rows.
func sorted(collections map[string][]any) string {
	text := map[string][]string{}
	for name, rows := range collections {
		for _, r := range rows {
			text[name] = append(text[name], document(r))
		}
		slices.Sort(text[name])
	}
	return document(text)
}

// checkRequests checks what the store holds of each request: it went its way
// once, and what it needed on the way is gone.
func (w *shopWorld) checkRequests(ctx context.Context, v *violations) {
	store, end, err := w.store(ctx)
	if err != nil {
		v.failed("open the store", err)
		return
	}
	defer func() { v.failed("close the store", end()) }()
	asked := int64(0)
	for _, p := range w.people {
		for _, wish := range p.wishes {
			asked++
			var found violations
			p.checkView(&found, wish)
			checkEntries(ctx, &found, store, wish)
			for _, text := range found {
				v.add("%s of person %d, request %s: %s", wish.policy, p.id, wish.id, text)
			}
		}
	}
	n, err := store.CountRequests(ctx, dsr.RecordQuery{})
	v.failed("count the requests", err)
	if n != asked {
		v.add("there are %d requests instead of %d", n, asked)
	}
	left, err := filepath.Glob(w.path("spool", "*", "*"))
	v.failed("list the spool", err)
	if len(left) > 0 {
		v.add("the spool still holds %d parts", len(left))
	}
}

// checkView checks what the service tells about a request.
func (p *person) checkView(v *violations, wish *wish) {
	if wish.view == nil || wish.view.Status != wish.end {
		v.add("it did not end as %s", wish.end)
		return
	}
	want, got := map[string][2]int{}, map[string][2]int{}
	if wish.end == dsr.StatusComplete {
		for _, table := range []string{"customers", "orders"} {
			rows, erased := p.rows(table), 0
			for _, r := range rows {
				if wish.policy != "access" && r[len(r)-1].Valid {
					erased++
				}
			}
			want["shop:"+table] = [2]int{len(rows), erased}
		}
	}
	for _, c := range wish.view.Collections {
		got[c.Collection] = [2]int{c.Found, c.Erased}
	}
	if !maps.Equal(want, got) {
		v.add("it tells of rows found and erased: %v instead of %v", got, want)
	}
}

// checkEntries checks the audit trail of a request, and that its journal and
// its keys are gone.
func checkEntries(ctx context.Context, v *violations, store dsr.Store, wish *wish) {
	entries, err := store.AuditEntries(ctx, wish.id, dsr.AuditPlace{}, 1000)
	v.failed("read the audit trail", err)
	want := map[string]int{"received": 1, "identity verified": 1, "approved": 0, "denied": 0, "canceled": 0,
		"started": 0, "erasure begun": 0, "completed": 0, "failed": 0, "waiting": 0}
	switch wish.end {
	case dsr.StatusDenied:
		want["denied"] = 1
	case dsr.StatusCanceled:
		want["canceled"] = 1
	default:
		want["started"], want["completed"] = 1, 1
		if wish.policy != "access" {
			want["approved"], want["erasure begun"] = 1, 1
		}
	}
	got, when := map[string]int{}, map[string]time.Time{}
	for _, e := range entries {
		got[e.Action]++
		when[e.Action] = e.Time
	}
	for action, n := range want {
		if got[action] != n {
			v.add("it was %s %d times instead of %d", action, got[action], n)
		}
	}
	if off := when["started"].Sub(when["approved"]); want["approved"]*want["started"] == 1 && off < serviceCoolingOff {
		v.add("it cooled off for %v only", off)
	}
	chunks, err := store.Journal(ctx, wish.id, 0, 1)
	v.failed("read the journal", err)
	if len(chunks) > 0 {
		v.add("the journal is still there")
	}
	rec, err := store.Request(ctx, wish.id)
	if err != nil {
		v.failed("read the request", err)
		return
	}
	if keys := slices.Collect(maps.Keys(rec.Keys)); !slices.Equal(keys, []string{"identity"}) {
		v.add("keys were not shredded: %v", keys)
	}
	if !rec.LeaseUntil.IsZero() {
		v.add("somebody still holds it")
	}
}
