package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

// tour is one walk through the library.
type tour struct {
	*screen
	dir       string
	shop, crm *database
	engine    *dsr.Engine

	found  int64  // rows of the subject before the erasure
	parcel string // path of the subject's data package
}

// run takes the tour and leaves everything it made in dir.
func run(ctx context.Context, dir string, screen *screen) error {
	dir, err := emptyFolder(dir)
	if err != nil {
		return err
	}
	t := &tour{screen: screen, dir: dir}
	if t.shop, t.crm, err = openShop(ctx, dir); err != nil {
		return err
	}
	defer t.shop.Close()
	defer t.crm.Close()
	store, err := openStore(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if t.engine, err = newEngine(store, dir, t.shop, t.crm, t.progress); err != nil {
		return err
	}
	before, err := look(ctx, t.shop, t.crm)
	if err != nil {
		return err
	}
	t.title("dsr quickstart", "a small web shop, two databases, one person")
	for _, step := range []func(context.Context) error{t.introduce, t.plan, t.access, t.erase} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := t.prove(ctx, before); err != nil {
		return err
	}
	t.whereToLook()
	return nil
}

// emptyFolder makes the folder; an empty name stands for a temporary one.
func emptyFolder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "dsr-quickstart-")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("the folder %s is not empty; remove it or name another", dir)
	}
	return filepath.Abs(dir)
}

func (t *tour) introduce(ctx context.Context) error {
	t.heading("The shop")
	var rows [][]string
	for _, db := range []*database{t.shop, t.crm} {
		for i, table := range db.tables {
			lines, err := db.rows(ctx, "SELECT * FROM "+table.name)
			if err != nil {
				return err
			}
			name := ""
			if i == 0 {
				name = db.name + ".db"
			}
			rows = append(rows, []string{name, table.name, fmt.Sprint(len(lines)), table.about})
		}
	}
	t.table([]string{"database", "table", "rows", ""}, rows)
	t.line("%s wants to know what the shop holds about her,", t.strong(subject))
	t.line("and then to be forgotten.")
	return nil
}

// plan shows what an erasure will do before anything is read, and keeps it as
// drawings and as SQL.
func (t *tour) plan(ctx context.Context) error {
	t.heading("The plan, made from the datasets and the policy alone")
	plan, err := t.engine.Plan("erasure", "email")
	if err != nil {
		return err
	}
	var text, mermaid, dot, statements bytes.Buffer
	if err := errors.Join(plan.Text(&text, nil), plan.Mermaid(&mermaid, nil), plan.DOT(&dot, nil)); err != nil {
		return err
	}
	if err := t.engine.DryRun(ctx, &statements, "erasure", "email"); err != nil {
		return err
	}
	t.block(text.String())
	n := 0
	for line := range strings.Lines(statements.String()) {
		if !strings.HasPrefix(line, "--") {
			n++
		}
	}
	t.done("checked against both databases; a dry run told %d statements and sent none", n)
	return errors.Join(
		t.write("plan.mmd", mermaid.Bytes()), t.write("plan.dot", dot.Bytes()), t.write("dryrun.sql", statements.Bytes()),
	)
}

// request submits a request for the subject and takes it to its end.
func (t *tour) request(ctx context.Context, policy string) (*dsr.Request, error) {
	request, err := t.engine.Requests().Submit(ctx, dsr.Submission{
		Policy: policy, Identities: dsr.Identities{"email": {subject}},
	})
	if err != nil {
		return nil, err
	}
	return t.engine.Requests().Advance(ctx, request.ID)
}

func (t *tour) access(ctx context.Context) error {
	t.heading("Access: what is there")
	request, err := t.request(ctx, "access")
	if err != nil {
		return err
	}
	plan, err := t.engine.Plan("access", "email")
	if err != nil {
		return err
	}
	t.parcel = filepath.Join(t.dir, "packages", request.Packages[0].Name)
	if err := unpack(filepath.Join(t.dir, "packages", request.Packages[1].Name), filepath.Join(t.dir, "pages")); err != nil {
		return err
	}
	var rows [][]string
	for _, c := range request.Collections {
		t.found += c.Rows
		step, _ := plan.Step(c.Address)
		var fields []string
		for _, path := range step.Access[0].Fields {
			fields = append(fields, path.String())
		}
		rows = append(rows, []string{c.Address.String(), fmt.Sprint(c.Rows), strings.Join(fields, ", ")})
	}
	t.table([]string{"collection", "rows", "handed over"}, rows)
	t.note("Her e-mail address was found in three spellings, two of them inside JSON.")
	t.note("In the thread about the telescope only her own post counts; the other one")
	t.note("is not in the package.")
	return t.log(ctx, "access.log", request)
}

func (t *tour) erase(ctx context.Context) error {
	t.heading("Erasure: forget her")
	request, err := t.request(ctx, "erasure")
	if err != nil {
		return err
	}
	var rows [][]string
	for _, c := range request.Collections {
		masked, deleted, what := c.Masked, int64(0), strings.Join(c.MaskedFields, ", ")
		if c.Deleted {
			masked, deleted, what = 0, c.Masked, "whole rows"
		}
		rows = append(rows, []string{
			c.Address.String(), count(c.Rows), count(masked), count(deleted), count(c.Rows - masked - deleted), what,
		})
	}
	t.table([]string{"collection", "found", "masked", "deleted", "kept", "what"}, rows)
	t.note("Kept rows hold nothing to mask, such as an order without a gift note. The")
	t.note("dates and totals of all orders stay for the books: no rule targets them.")
	return t.log(ctx, "erasure.log", request)
}

// prove asks again, and looks into the databases without the library.
func (t *tour) prove(ctx context.Context, before survey) error {
	t.heading("Proof: ask again, and look for ourselves")
	request, err := t.request(ctx, "access")
	if err != nil {
		return err
	}
	var found int64
	for _, c := range request.Collections {
		found += c.Rows
	}
	after, err := look(ctx, t.shop, t.crm)
	if err != nil {
		return err
	}
	t.table([]string{"", "before", "after"}, [][]string{
		{"rows that a request for her finds", fmt.Sprint(t.found), fmt.Sprint(found)},
		{"rows in which something of her can be read", fmt.Sprint(before.traces), fmt.Sprint(after.traces)},
		{"rows of everybody else", fmt.Sprint(len(before.others)), fmt.Sprint(len(after.others))},
	})
	for i, s := range before.samples {
		t.change(s.table, s.row, after.samples[i].row)
	}
	t.gap()
	if found != 0 || after.traces != 0 {
		return fmt.Errorf("something of the person is left: %d rows by request, %d by reading", found, after.traces)
	}
	if !slices.Equal(before.others, after.others) {
		return errors.New("rows of other people were changed")
	}
	t.done("nothing is left of her, and not a byte of the others' rows has changed")
	return nil
}

func (t *tour) whereToLook() {
	t.heading("Where to look")
	t.line("%s", t.strong(t.dir))
	t.list([][]string{
		{"pages/index.html", "her data package as pages: open it in a browser"},
		{"packages/", "data packages, each with a manifest"},
		{"shop.db  crm.db", "the two databases, as the erasure left them"},
		{"plan.mmd  plan.dot", "the plan drawn, for Mermaid and Graphviz"},
		{"dryrun.sql", "every statement of the erasure, without values"},
		{"access.log  erasure.log", "what happened to each request"},
		{"requests.db", "the store: identities sealed, journal keys gone"},
	})
	t.line("Her data package as JSON, to begin with:")
	t.line("%s", t.strong(t.parcel))
}

// log keeps the log of a request and remembers its package.
func (t *tour) log(ctx context.Context, name string, request *dsr.Request) error {
	events, err := t.engine.Requests().Log(ctx, request.ID, 0, 0)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "request %s, policy %s, %s\n", request.ID, request.Policy, request.Status)
	for _, e := range events {
		fmt.Fprintf(&b, "%s  %-10s %-20s %4d  %s\n", e.Time.Format("15:04:05.000"), e.Kind, e.Collection, e.Rows, e.Message)
	}
	return t.write(name, b.Bytes())
}

// unpack unpacks a zip into a new folder.
func unpack(file, dir string) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	return errors.Join(os.CopyFS(dir, z), z.Close())
}

func (t *tour) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(t.dir, name), data, 0o600)
}
