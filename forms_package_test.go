package dsr_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/redact"
	"github.com/godsr/dsr/storage"
)

// named lets a desk replace names that match.
func named(t testing.TB, patterns ...string) func(*dsr.Config) {
	t.Helper()
	names, err := redact.NewRegistry(nil, patterns...)
	require.NoError(t, err)
	return func(c *dsr.Config) { c.Redaction = names }
}

// Names of forms and of their fields are replaced by patterns, and stand in the
// order of what is shown; what was uploaded stays as it is, whatever it is
// called, and whatever the policy selects.
func TestFormsInPackagesWithRedaction(t *testing.T) {
	t.Parallel()
	forms := []manual.Form{textForm("a_secret", "salary", "id"), textForm("b", "secret_word", "field_1"), textForm("z", "salary")}
	forms[0].Fields[0].DataCategories = []string{"system.operations"}
	for _, c := range []struct {
		name     string
		patterns []string
		pack     string
		keys     []string
	}{
		{"none", nil, `{"a_secret":[{"salary":"a_secret salary","id":"7"}],"b":[{"secret_word":"secret","field_1":"x"}]}`, []string{"a_secret", "b", "z"}},
		{"some", []string{".*secret.*", "sal.*"}, `{"b":[{"field_2":"secret","field_1":"x"}],"dataset_1":[{"field_1":"a_secret salary","id":"7"}]}`, []string{"b", "dataset_1", "z"}},
		{"all", []string{".*"}, `{"dataset_1":[{"field_2":"a_secret salary","field_1":"7"}],"dataset_2":[{"field_3":"secret","field_2":"x"}]}`, []string{"dataset_1", "dataset_2", "dataset_4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newDesk(t, named(t, c.patterns...), forms...)
			o.waiting(t, "access", "ada@example.com")
			o.uploads(t, "r1", "a_secret", `{"salary":"a_secret salary","id":"7"}`)
			o.uploads(t, "r1", "b", `{"secret_word":"secret","field_1":"x"}`)
			o.uploads(t, "r1", "z", `{}`)
			o.resumed(t, "r1")
			o.advanced(t, "r1", dsr.StatusComplete)
			require.Equal(t, c.pack, o.manualPart(t, "r1.json"))
			var keys []string
			for _, told := range o.packages.manifest(t, "r1") {
				if !strings.Contains(told.Address, ":") {
					keys = append(keys, told.Address)
				}
			}
			require.Equal(t, c.keys, keys)
		})
	}
}

// answered is a desk with an answered form, a comment and a file, all of which
// go into the package.
func answered(t *testing.T, policy string, change func(*dsr.Config)) *office {
	t.Helper()
	form := textForm("crm", "name", "secret", "passport")
	form.Fields[2].Types = []manual.FieldType{manual.File}
	o := newDesk(t, func(c *dsr.Config) {
		c.Files = storage.NewFolder(t.TempDir(), nil)
		if change != nil {
			change(c)
		}
	}, form)
	o.waiting(t, policy, "ada@example.com")
	file, err := o.engine.Attachments().Add(t.Context(), "r1", "../pass:port.txt", "text/plain", false, strings.NewReader("content of it"), clerk)
	require.NoError(t, err)
	require.NoError(t, o.engine.Attachments().Comment(t.Context(), "r1", "", "looked, in \"both\" drawers", true, clerk))
	require.NoError(t, o.engine.Attachments().Comment(t.Context(), "r1", "", "for the desk only", false, clerk))
	_, err = o.engine.Forms().Upload(t.Context(), "r1", "crm", graph.Access, map[string]any{"name": "Ada <é>", "secret": "=1+1", "passport": []string{file.ID}}, clerk)
	require.NoError(t, err)
	if policy == "both" {
		o.uploads(t, "r1", "crm", `{"name":true}`)
	}
	return o
}

// A form, its files and comments are in packages of every format.
func TestFormsInEveryFormat(t *testing.T) {
	t.Parallel()
	const (
		plain = `{"name":"Ada <é>","secret":"=1+1","passport":[{"content_type":"text/plain","file_name":"../pass:port.txt","path":"attachments/_pass_port.txt","size":13}]}`
		said  = `{"comment":"looked, in \"both\" drawers","time":"2030-01-02T03:04:05Z"}`
	)
	deliver := func(t *testing.T, format storage.Format, patterns ...string) *office {
		t.Helper()
		o := answered(t, "access", func(c *dsr.Config) {
			named(t, patterns...)(c)
			to := c.Destinations["folder"]
			to.Format = format
			c.Destinations = map[string]dsr.Destination{"folder": to}
		})
		o.resumed(t, "r1")
		o.advanced(t, "r1", dsr.StatusComplete)
		return o
	}
	t.Run("JSON", func(t *testing.T) {
		t.Parallel()
		file := deliver(t, storage.JSON{}).packages.file("r1.json")
		_, after, found := strings.Cut(file, "  \"comments\": [\n    "+said+"\n  ],\n  \"crm\": [\n    "+plain+"\n  ],\n  \"attachments\": [\n")
		require.True(t, found, file)
		require.Equal(t, `    {"file_name":"../pass:port.txt","content_type":"text/plain","path":"attachments/_pass_port.txt","content":"Y29udGVudCBvZiBpdA==","size":13}`+"\n  ]\n}\n", after)
	})
	t.Run("CSV", func(t *testing.T) {
		t.Parallel()
		files, names := zipped(t, deliver(t, storage.CSV{}, "crm", "secret").packages.file("r1.zip"))
		require.Equal(t, []string{
			"shop/customers.csv", "shop/orders.csv", "shop/visits.csv", "comments.csv", "dataset_1.csv", "attachments/_pass_port.txt", "contents.csv",
		}, names)
		require.Equal(t, "\ufeff\"name\",\"field_1\",\"passport\"\r\n"+
			`"Ada <é>","'=1+1","[{""content_type"":""text/plain"",""file_name"":""../pass:port.txt"",""path"":""attachments/_pass_port.txt"",""size"":13}]"`+"\r\n", files["dataset_1.csv"])
		require.Equal(t, "\ufeff\"comment\",\"time\"\r\n\"looked, in \"\"both\"\" drawers\",\"2030-01-02T03:04:05Z\"\r\n", files["comments.csv"])
		require.Equal(t, "content of it", files["attachments/_pass_port.txt"])
		require.Contains(t, files["contents.csv"], `"dataset_1","done",1,0,"dataset_1.csv",`+"\r\n")
		require.NotContains(t, files["contents.csv"], "crm")
	})
	t.Run("HTML", func(t *testing.T) {
		t.Parallel()
		files, _ := zipped(t, deliver(t, storage.HTML{}, "crm", "secret").packages.file("r1.zip"))
		page := files["data/Looked up by people/dataset_1/page-1.html"]
		for _, text := range []string{"Ada &lt;é&gt;", "=1+1", "field_1", "attachments/_pass_port.txt"} {
			require.Contains(t, page, text)
		}
		for name, file := range files {
			require.NotContains(t, name+file, "crm")
			require.NotContains(t, name+file, "secret")
			require.NotContains(t, name+file, "for the desk only")
		}
		require.Contains(t, files["data/Looked up by people/comments/page-1.html"], "looked, in &#34;both&#34; drawers")
		require.Contains(t, files["index.html"], `href="attachments/_pass_port.txt"`)
		require.Equal(t, "content of it", files["attachments/_pass_port.txt"])
	})
}

// Of several packages the first has what people answered; all of it is
// encrypted as the package is.
func TestFormsGoIntoTheFirstPackage(t *testing.T) {
	t.Parallel()
	o := answered(t, "twice", func(c *dsr.Config) {
		first, second := accessRule(), accessRule()
		first.Key, second.Key = "z_first", "a_second"
		c.Policies = append(c.Policies, graph.Policy{Key: "twice", Rules: []graph.Rule{first, second}})
	})
	o.resumed(t, "r1")
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, []string{"r1-a_second.json", "r1-a_second.manifest.json", "r1-z_first.json", "r1-z_first.manifest.json"}, o.packages.names())
	require.Contains(t, o.packages.file("r1-z_first.json"), `"crm"`)
	require.Contains(t, o.packages.file("r1-z_first.json"), "Y29udGVudCBvZiBpdA==")
	require.Equal(t, `{}`, o.manualPart(t, "r1-a_second.json"))
	for _, told := range o.packages.manifest(t, "r1-a_second") {
		require.Contains(t, told.Address, "shop:")
	}
}

// What people answered is encrypted with the package.
func TestFormsAreEncrypted(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil, textForm("crm", "a"))
	s := submission("access", "ada@example.com")
	s.Encryption = dsr.Encryption{Key: []byte("sixteen bytes ok")}
	o.submitted(t, s)
	o.advanced(t, "r1", dsr.StatusRequiresInput)
	o.uploads(t, "r1", "crm", `{"a":"CANARY"}`)
	o.resumed(t, "r1")
	o.advanced(t, "r1", dsr.StatusComplete)
	require.NotContains(t, o.packages.file("r1.json"), "CANARY")
	require.Contains(t, unkey(t, o.packages.file("r1.json"), []byte("sixteen bytes ok")), "  \"crm\": [\n    {\"a\":\"CANARY\"}\n  ]")
}

// People confirm an erasure field by field, before anything is queried; of
// access and erasure they are asked at once. What they confirmed outlives it.
func TestFormsOfErasures(t *testing.T) {
	t.Parallel()
	for policy, actions := range map[string][]graph.Action{"erase": {graph.Erasure}, "both": {graph.Access, graph.Erasure}} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			form := textForm("crm", "name", "height", "photo")
			form.Fields[2].Types = []manual.FieldType{manual.File}
			o := newDesk(t, nil, form, accessForm("hr", "salary"))
			o.waiting(t, policy, "ada@example.com")
			resume := func() string {
				_, err := o.engine.Forms().Resume(t.Context(), "r1", clerk)
				require.Error(t, err)
				return err.Error()
			}
			require.Len(t, strings.Split(resume(), "\n"), 2*len(actions)-1)
			require.Equal(t, `{"checked":false,"fields":{"name":null,"height":null}}`, o.viewed(t, "r1", "crm", graph.Erasure))
			o.uploads(t, "r1", "crm", `{"name":true,"height":false}`)
			require.Equal(t, `{"checked":true,"fields":{"name":true,"height":false}}`, o.viewed(t, "r1", "crm", graph.Erasure))
			if policy == "both" {
				require.Equal(t, "Cannot resume privacy request. No data cached for privacy_request_id 'r1' for connection config 'crm'\n"+
					"Cannot resume privacy request. No data cached for privacy_request_id 'r1' for connection config 'hr'", resume())
				o.uploads(t, "r1", "crm", `{"name":"Ada"}`)
				o.uploads(t, "r1", "hr", `{}`)
			}
			require.Empty(t, o.db().readCounts())
			require.Zero(t, o.db().applied())
			o.resumed(t, "r1")
			require.Equal(t, []string{"crm"}, o.advanced(t, "r1", dsr.StatusRequiresFinalization).Unconfirmed)
			require.NotEqual(t, "Ada", o.db().Rows("customers")[0]["name"])
			require.Contains(t, o.trail(t, "r1"), "form filled in by clerk-7 action=erasure erased=1 of 2 form=crm")
			if policy == "both" {
				require.Equal(t, `{"crm":[{"name":"Ada"}]}`, o.manualPart(t, "r1.json"))
			} else {
				require.Empty(t, o.packages.names())
			}
		})
	}
}

// Rows are forgotten while a request waits for long; what people uploaded is
// not, until the request begins anew.
func TestUploadsOutliveRetentionOfRows(t *testing.T) {
	t.Parallel()
	o := answered(t, "access", func(c *dsr.Config) { c.Retention.Collected = 24 * time.Hour })
	o.clock.add(25 * time.Hour)
	o.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Contains(t, o.actions(t, "r1"), "expired")
	o.resumed(t, "r1")
	o.packages.err = fmt.Errorf("the disk is full")
	_, err := o.Advance(t.Context(), "r1")
	require.Error(t, err)
	o.packages.err = nil
	o.clock.add(25 * time.Hour)
	_, err = o.Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Nil(t, o.requireStatus(t, "r1", dsr.StatusError).Collections)
	o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, 2, o.db().readCounts()["customers"])
	require.Contains(t, o.manualPart(t, "r1.json"), `"crm":[{"name":"Ada`)
}

// After the end nothing is left of what people answered: neither its key, nor
// anything sealed with it, nor files. It was never in the clear anywhere.
func TestNothingIsLeftOfAnswers(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, o *office){
		"complete": func(t *testing.T, o *office) {
			t.Helper()
			o.resumed(t, "r1")
			o.advanced(t, "r1", dsr.StatusComplete)
		},
		"canceled":    func(t *testing.T, o *office) { t.Helper(); o.done(t, o.Cancel, "r1", dsr.StatusCanceled) },
		"deleted":     func(t *testing.T, o *office) { t.Helper(); o.done(t, o.Requests.Delete, "r1", dsr.StatusRequiresInput) },
		"resubmitted": func(t *testing.T, o *office) { t.Helper(); o.done(t, o.Resubmit, "r1", dsr.StatusApproved) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var store *watchedStore
			form := textForm("crm", "a", "b")
			form.Fields[1].Types = []manual.FieldType{manual.File}
			o := newDesk(t, func(c *dsr.Config) {
				c.Files = storage.NewFolder(dir, nil)
				store = &watchedStore{Store: c.Store}
				c.Store = store
			}, form)
			o.waiting(t, "access", "ada@example.com")
			var told bytes.Buffer
			by := dsr.By{Actor: "CANARY", Reason: "CANARY"}
			file, err := o.engine.Attachments().Add(t.Context(), "r1", "CANARY.txt", "text/plain", true, strings.NewReader("CANARY"), by)
			require.NoError(t, err)
			fmt.Fprintf(&told, "%v %+v %#v %s", file, file, file, asJSON(t, file))
			require.NoError(t, o.engine.Attachments().Comment(t.Context(), "r1", "", "CANARY", true, by))
			_, err = o.engine.Forms().Upload(t.Context(), "r1", "crm", graph.Access, map[string]any{"CANARY": "CANARY", "a": 1}, by)
			require.EqualError(t, err, "manual: 2 faults:\n\tExtra inputs are not permitted\n\ta: Input should be a valid string")
			req, err := o.engine.Forms().Upload(t.Context(), "r1", "crm", graph.Access, map[string]any{"a": "CANARY", "b": []string{file.ID}}, by)
			require.NoError(t, err)
			fmt.Fprintf(&told, "%+v", req)
			view, err := o.engine.Forms().View(t.Context(), "r1", "crm", graph.Access)
			require.NoError(t, err)
			comments, err := o.engine.Attachments().Comments(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, "CANARY", comments[0].Text)
			fmt.Fprintf(&told, "%v %+v %#v %s", comments, comments, comments, asJSON(t, comments))
			fmt.Fprintf(&told, "%v %+v %#v", view, view, view)
			rec, err := o.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			require.Contains(t, rec.Keys, "manual")
			require.NotEmpty(t, rec.Manual)

			end(t, o)
			rec, err = o.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			require.NotContains(t, rec.Keys, "manual")
			require.Empty(t, rec.Manual)
			left, err := storage.NewFolder(dir, nil).Open(t.Context(), file.ID+".sealed")
			require.Nil(t, left)
			require.Error(t, err)
			list, err := o.engine.Attachments().List(t.Context(), "r1")
			require.NoError(t, err)
			require.Empty(t, list)
			log, err := o.Log(t.Context(), "r1", 0, 0)
			require.NoError(t, err)
			fmt.Fprintf(&told, "%+v %+v %q", log, o.notifier.Notices(), o.trail(t, "r1"))
			require.NotContains(t, told.String(), "CANARY")
			require.NotContains(t, o.logs.String(), "CANARY")
			require.NotContains(t, store.all.String(), "CANARY")
			require.NotContains(t, o.packages.file("r1.manifest.json"), "CANARY")
			if name == "resubmitted" {
				o.advanced(t, "r1", dsr.StatusRequiresInput)
				require.Equal(t, `{"checked":false,"fields":{"a":null,"b":null}}`, o.viewed(t, "r1", "crm", graph.Access))
			}
			if name == "complete" {
				require.Contains(t, o.packages.file("r1.json"), `{"a":"CANARY"`)
			}
		})
	}
}
