package dsr_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

func TestNewTellsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := dsr.New(dsr.Config{})
	require.EqualError(t, err, `dsr: the configuration has 4 fault(s):
	Store is required: adapters/sqlitestore keeps requests in a file, adapters/memory in memory
	Keyring is required: NewLocalKeyring wraps keys with one of your own
	Datasets is empty: graph.LoadFS reads dataset files
	Policies is empty`)

	datasets := load(t, strings.Replace(shopYAML, "fides_meta: {identity: email, data_type: string}",
		"fides_meta: {identity: email, data_type: string, masking_strategy_override: {strategy: string_rewrite, configuration: {colour: blue}}}", 1))
	other := load(t, strings.Replace(strings.Replace(shopYAML, "fides_key: shop", "fides_key: other", 1), "dataset: shop", "dataset: other", 1))
	db := memory.NewConnector(shopRows(), nil)
	_, err = dsr.New(dsr.Config{
		Store: memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), SharedRows: "share",
		Datasets: append(datasets, other...),
		Connections: []dsr.Connection{
			{Connector: db, Datasets: []string{"shop"}},
			{Key: "b", Datasets: []string{"shop", "nothing"}},
			{Key: "b", Connector: db},
		},
		Destinations: map[string]dsr.Destination{"nil": {}, "folder": {Storage: storage.NewFolder(t.TempDir(), nil)}},
		Policies: []graph.Policy{
			{Key: "p", Rules: []graph.Rule{
				{Key: "a/b", Action: graph.Access, Targets: []graph.Category{"user.nme"}},
				{Key: "far", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "moon"},
				{Key: "e", Action: graph.Erasure, Targets: []graph.Category{"user"}, Masking: &graph.Masking{Strategy: "shred"}},
			}},
			{Rules: []graph.Rule{{Key: "q", Action: "read", Targets: []graph.Category{"user"}}}},
			{Key: "p"},
		},
	})
	var config *dsr.ConfigError
	require.ErrorAs(t, err, &config)
	require.Equal(t, `dsr: the configuration has 18 fault(s):
	SharedRows is "share"; it is one of erase, keep, refuse
	destination "nil" has no Storage
	test.yml:10:13: error: shop:customers.email: mask: strategy "string_rewrite": rewrite_value is missing; unknown key "colour"; the keys are rewrite_value, format_preservation
	connection 1 has no Key
	connection "b" has no Connector
	dataset "shop" is claimed by connections "" and "b"
	connection "b" names dataset "nothing", which is not among Datasets
	two connections have the key "b"
	dataset "other" has no connection; list it in the Datasets of one
	error: policy p: rule "a/b" targets the unknown category "user.nme"; did you mean user.name?
	policy p: rule "a/b": it names no destination, and there are 2 to choose from
	policy p: rule "a/b": its key becomes part of a package's name: storage: the name cannot be used for a file: it holds a path separator
	policy p: rule "far": it names destination "moon", which is not among Destinations
	policy p: rule "e": mask: strategy "shred": unknown; the strategies are aes_encrypt, hash, hmac, null_rewrite, preserve, random_string_rewrite, string_rewrite
	error: policy : it has no key
	error: policy : rule "q" has the unknown action "read"; known: access, erasure
	two policies have the key "p"
	error: policy p: it has no rules`, err.Error())
}

func TestNewTellsEveryNil(t *testing.T) {
	t.Parallel()
	_, err := dsr.New(dsr.Config{
		Store: memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(),
		Datasets: []*graph.Dataset{nil, {Key: "shop", Collections: []*graph.Collection{
			nil, {Name: "a", Fields: []*graph.Field{nil, {Name: "b", Fields: []*graph.Field{nil}}}},
		}}},
		Connections: []dsr.Connection{{Key: "shop", Connector: memory.NewConnector(nil, nil), Datasets: []string{"shop"}}},
		Policies:    []graph.Policy{policy(erasureRule("hash", "user"))},
	})
	require.EqualError(t, err, `dsr: the configuration has 4 fault(s):
	error: dataset 1: it is nil
	error: shop: collection 1 is nil
	error: shop:a: field 1 is nil
	error: shop:a.b: field 1 is nil`)
}

func TestSubmitTellsEveryFaultAndStoresNothing(t *testing.T) {
	t.Parallel()
	w := shop(t, shopYAML, shopRows(), nil)
	e := newEngine(t, w.config(nil, policy(accessRule())))
	for _, c := range []struct {
		name string
		s    dsr.Submission
		want string
	}{
		{"nothing", dsr.Submission{}, "dsr: 2 faults:\n\terror: submission: it names no policy\n\terror: submission: it has no identities"},
		{"no identities", dsr.Submission{Policy: "p"}, "dsr: error: submission: it has no identities"},
		{
			"empty values", dsr.Submission{Policy: "p", Identities: dsr.Identities{"email": {"a@example.com", " "}, "phone": {}}},
			"dsr: 2 faults:\n\terror: identity email: a value is empty\n\terror: identity phone: it has no value",
		},
		{"no text", dsr.Submission{Policy: "p", Identities: dsr.Identities{"email": {"a\xffb"}}}, "dsr: error: identity email: a value is not valid UTF-8 text"},
		{"unknown policy", dsr.Submission{Policy: "q", Identities: dsr.Identities{"email": {"a"}}}, `dsr: not found: policy "q"; the configuration has: p`},
		{
			"unknown kind", dsr.Submission{Policy: "p", Identities: dsr.Identities{"loyalty_card": {"a"}}},
			"no dataset has a field for identity kind \"loyalty_card\"; known kinds: email",
		},
	} {
		_, err := e.Requests().Submit(t.Context(), c.s)
		require.ErrorContains(t, err, c.want, c.name)
	}
	all, err := e.Requests().List(t.Context(), dsr.Filter{})
	require.NoError(t, err)
	require.Empty(t, all.Requests)
	require.Empty(t, w.notifier.Notices())
}

const wrongYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: accounts
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: kept
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: account_id, fides_meta: {references: [{dataset: shop, field: accounts.id, direction: from}]}}
      - name: nokey
        fields:
          - {name: mail, fides_meta: {identity: email}}
          - {name: note, data_categories: [user.content]}
      - name: people
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
          - {name: age, data_categories: [user.demographic], fides_meta: {data_type: integer}}
          - {name: born, data_categories: [user.demographic]}
          - {name: city, data_categories: [user.contact.address]}
          - {name: full, data_categories: [user.contact.address]}
          - {name: cut, data_categories: [user.contact.address], fides_meta: {length: 10}}
          - {name: lost, data_categories: [user.contact.address]}
          - {name: name, data_categories: [user.name]}
      - name: people2
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: keyed
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: code, data_categories: [user.contact.address], fides_meta: {identity: email}}
      - name: replica
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: missing
        fields:
          - {name: id, fides_meta: {identity: email}}
      - name: leaf
        fields:
          - {name: missing_id, fides_meta: {references: [{dataset: shop, field: missing.id, direction: from}]}}
`

// wrong is a world whose databases fit the datasets in no way.
func wrong(t testing.TB) *world {
	t.Helper()
	text := func(name string) dsr.Column {
		return dsr.Column{Name: name, Kind: dsr.ColumnText, Native: "text", Nullable: true}
	}
	id := dsr.Column{Name: "id", Kind: dsr.ColumnInteger, Native: "integer"}
	rows := map[string][]map[string]any{}
	for _, name := range []string{"accounts", "kept", "nokey", "people", "people2", "keyed", "replica", "leaf"} {
		rows[name] = []map[string]any{{"id": 1, "email": "ada@example.com", "mail": "ada@example.com", "code": "ada@example.com"}}
	}
	unique, notNull, short := text("email"), text("name"), dsr.Column{Name: "city", Kind: dsr.ColumnText, Native: "varchar(20)", Length: 20, Nullable: true}
	unique.Unique, notNull.Nullable = true, false
	cut, full := short, text("full")
	cut.Name, full.Generated = "cut", true
	people := []dsr.Column{id, unique, {Name: "age", Kind: dsr.ColumnText, Nullable: true}, {Name: "born", Kind: dsr.ColumnDate, Native: "date", Nullable: true}, short, full, cut, notNull}
	return shop(t, wrongYAML, rows, &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{
		"accounts": {Columns: []dsr.Column{id, text("email")}, Key: []string{"id"}, ReferencedBy: []dsr.ForeignKey{
			{Name: "fk_kept", Table: "kept", OnDelete: "restrict"}, {Name: "fk_audit", Table: "audit", OnDelete: "cascade"},
			{Name: "fk_leaf", Table: "leaf", OnDelete: "set null"}, {Name: "fk_self", Table: "accounts", OnDelete: "restrict"},
		}},
		"kept":    {Columns: []dsr.Column{id, text("account_id")}, Key: []string{"id"}},
		"nokey":   {Columns: []dsr.Column{text("mail"), text("note")}},
		"people":  {Columns: people, Key: []string{"id"}},
		"people2": {Table: "people", Columns: people, Key: []string{"id"}},
		"keyed":   {Columns: []dsr.Column{id, text("code")}, Key: []string{"id", "code"}},
		"replica": {Columns: []dsr.Column{id, text("email")}, Key: []string{"id"}, ReadOnly: "the server is a replica"},
		"leaf":    {Columns: []dsr.Column{text("missing_id")}},
	}})
}

func TestPreflightTellsEveryFault(t *testing.T) {
	t.Parallel()
	erase := func(key, strategy string, configuration map[string]any, targets ...graph.Category) graph.Rule {
		return graph.Rule{Key: key, Action: graph.Erasure, Targets: targets, Masking: &graph.Masking{Strategy: strategy, Configuration: configuration}}
	}
	rules := []graph.Rule{
		accessRule(),
		erase("text", "hash", nil, "user.demographic", "user.contact.address", "user.content"),
		erase("same", "string_rewrite", map[string]any{"rewrite_value": "x"}, "user.contact.email"),
		erase("null", "null_rewrite", nil, "user.name"),
	}
	w := wrong(t)
	want := `dsr: 14 faults:
	error: shop:accounts: its rows are to be deleted, but rows of shop:kept refer to them (fk_kept, on delete restrict) and are kept; delete those too
	error: shop:accounts: its rows are to be deleted, but table audit refers to them (fk_audit, on delete cascade) and is in no dataset of the plan; add it to a dataset
	error: shop:keyed.code: it is part of the table's primary key; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category
	error: shop:missing: the database has no such collection, and others depend on it; create it or set skip_processing
	error: shop:nokey: rows cannot be addressed: there is no primary key; declare one (primary_key: true)
	error: shop:people.age: hash writes text, which a field of data_type integer cannot take; use null_rewrite, or override the strategy of the field
	error: shop:people.born: hash writes text, which a column of type date cannot take; use null_rewrite, or override the strategy of the field
	error: shop:people.city: hash writes 64 characters, but the column takes 20; set length: 20 on the field
	error: shop:people.email: string_rewrite writes the same text into every row, but the column is unique; choose a strategy that keeps values apart
	error: shop:people.full: the column is generated by the database and cannot be written; target what it is made from
	error: shop:people.lost: table people has no such column; correct the dataset
	error: shop:people.name: null_rewrite writes null, but the column is NOT NULL; choose another strategy
	error: shop:people2: it is the same table as shop:people (people), and erasure rules reach both; describe it once
	error: shop:people2.email: string_rewrite writes the same text into every row, but the column is unique; choose a strategy that keeps values apart
	error: shop:replica: an erasure rule reaches it, but connection "shop" cannot write: the server is a replica`
	want = strings.Replace(want, "14 faults", "15 faults", 1)
	req, err := w.run(t, "ada@example.com", rules...)
	require.EqualError(t, err, "dsr: request r1 failed at stage plan: "+want)
	require.Equal(t, dsr.StatusError, req.Status)
	var faults *graph.FaultError
	require.ErrorAs(t, err, &faults)
	require.Len(t, faults.Faults, 15)
	require.Empty(t, w.db().readCounts())
	require.Zero(t, w.db().applied())
	require.Empty(t, w.packages.names())
	require.Empty(t, w.spool.names())

	e := newEngine(t, w.config(nil, policy(rules...)))
	require.EqualError(t, e.Check(t.Context(), "p", "email"), want)
	require.EqualError(t, e.DryRun(t.Context(), &strings.Builder{}, "p", "email"), want)
}

// bound is a shop in which foreign keys hold two columns to their values.
func bound(t testing.TB, note dsr.Column) *world {
	t.Helper()
	column := func(name string) dsr.Column {
		return dsr.Column{Name: name, Kind: dsr.ColumnText, Native: "text", Nullable: true}
	}
	return shop(t, shopYAML, shopRows(), &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{
		"customers": {
			Columns: []dsr.Column{column("id"), column("email"), column("name")}, Key: []string{"id"},
			ReferencedBy: []dsr.ForeignKey{
				{Name: "fk_orders", Table: "orders", Columns: []string{"customer_id"}, References: []string{"id"}, OnDelete: "restrict"},
				{Name: "fk_mails", Table: "mails", Columns: []string{"tenant", "recipient"}, References: []string{"id", "email"}, OnDelete: "cascade"},
				{Name: "fk_alias", Table: "customers", Columns: []string{"name"}, References: []string{"email"}, OnDelete: "restrict"},
			},
			References: []dsr.ForeignKey{
				{Name: "fk_alias", Table: "customers", Columns: []string{"name"}, References: []string{"email"}, OnDelete: "restrict"},
			},
		},
		"orders": {
			Columns: []dsr.Column{column("id"), column("customer_id"), note}, Key: []string{"id"},
			References: []dsr.ForeignKey{
				{Name: "fk_orders", Table: "customers", Columns: []string{"customer_id"}, References: []string{"id"}, OnDelete: "restrict"},
				{Name: "fk_note", Table: "notes", Columns: []string{"customer_id", "note"}, References: []string{"owner", "note"}, OnDelete: "set null"},
			},
		},
	}})
}

func TestColumnsBoundByForeignKeysAreRefusedFirst(t *testing.T) {
	t.Parallel()
	const (
		referred = `error: shop:customers.email: rows of table mails refer to it (fk_mails), so the database would refuse a masked value; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category
	error: shop:customers.email: rows of table customers refer to it (fk_alias), so the database would refuse a masked value; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category`
		refers   = "error: shop:orders.note: it is part of foreign key fk_note to table notes, which would refuse the masked value; "
		orDelete = "the column is NOT NULL, so delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category"
	)
	nullable := dsr.Column{Name: "note", Kind: dsr.ColumnText, Native: "text", Nullable: true}
	required := dsr.Column{Name: "note", Kind: dsr.ColumnText, Native: "text"}
	integer := dsr.Column{Name: "note", Kind: dsr.ColumnInteger, Native: "bigint", Nullable: true}
	text := erasureRule("string_rewrite", "user.content")
	text.Masking.Configuration = map[string]any{"rewrite_value": "x"}
	for _, c := range []struct {
		name string
		note dsr.Column
		rule graph.Rule
		want string // none: it completes
	}{
		{"a hash where a key begins", nullable, erasureRule("hash", "user.content"), refers + "use null_rewrite"},
		{"one text where a key begins", nullable, text, refers + "use null_rewrite"},
		{"a hash in a required column", required, erasureRule("hash", "user.content"), refers + orDelete},
		{"a hash in an integer", integer, erasureRule("hash", "user.content"), refers + "use null_rewrite"},
		{"null where a key begins", nullable, erasureRule("null_rewrite", "user.content"), ""},
		{"null where a key ends", nullable, erasureRule("null_rewrite", "user.contact"), "2 faults:\n\t" + referred},
		{"a hash where a key ends", nullable, erasureRule("hash", "user.contact"), "2 faults:\n\t" + referred},
		{"values that are kept", nullable, erasureRule("preserve", "user.contact"), ""},
		{"a key that leads back to the table", nullable, erasureRule("hash", "user.name"), "error: shop:customers.name: it is part of foreign key fk_alias to table customers, which would refuse the masked value; use null_rewrite"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := bound(t, c.note)
			if c.want == "" {
				w.complete(t, "ada@example.com", accessRule(), c.rule)
				return
			}
			_, err := w.run(t, "ada@example.com", accessRule(), c.rule)
			require.EqualError(t, err, "dsr: request r1 failed at stage plan: dsr: "+c.want)
			require.Empty(t, w.db().readCounts())
			require.Zero(t, w.db().applied())
			require.Empty(t, w.packages.names())
		})
	}
}

func TestReadOnlyConnectionsRefuseErasure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		opts *memory.ConnectorOptions
		set  bool
		want string
	}{
		{"by setting", nil, true, `connection "shop" is set to read-only`},
		{"by the database", &memory.ConnectorOptions{ReadOnly: true}, false, `connection "shop" cannot write: the connector was made with ReadOnly`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := shop(t, shopYAML, shopRows(), c.opts)
			config := w.config(nil, policy(accessRule(), erasureRule("hash", "user.name")), graph.Policy{Key: "read", Rules: []graph.Rule{accessRule()}})
			config.Connections[0].ReadOnly = c.set
			e := newEngine(t, config)
			submit(t, e, "email", "ada@example.com")
			_, err := e.Requests().Advance(t.Context(), "r1")
			require.EqualError(t, err, "dsr: request r1 failed at stage plan: dsr: error: shop:customers: an erasure rule reaches it, but "+c.want)
			require.Empty(t, w.db().readCounts())
			require.NoError(t, e.Check(t.Context(), "read", "email"))
		})
	}
}

// A missing table on which nothing depends is skipped, and the package says so.
func TestMissingOptionalTableIsTold(t *testing.T) {
	t.Parallel()
	rows := shopRows()
	delete(rows, "orders")
	w := shop(t, shopYAML, rows, nil)
	req := w.complete(t, "ada@example.com", accessRule(), erasureRule("hash", "user.name", "user.content"))
	o := outcome(t, req, "shop:orders")
	require.Equal(t, graph.Skipped, o.State)
	require.Equal(t, "the database has no such collection", o.Message)
	require.Contains(t, w.packages.file("r1.manifest.json"), `"message": "the database has no such collection"`)
	require.Len(t, w.db().Rows("customers")[0]["name"], 64)
}

// cutConnector fails to describe.
type cutConnector struct{ dsr.Connector }

func (cutConnector) Describe(context.Context, *graph.Collection) (*dsr.Schema, error) {
	return nil, context.DeadlineExceeded
}

func TestSchemasThatCannotBeReadAreFaults(t *testing.T) {
	t.Parallel()
	w := shop(t, shopYAML, shopRows(), nil)
	c := w.config(nil, policy(accessRule()))
	c.Connections[0].Connector = cutConnector{c.Connections[0].Connector}
	err := newEngine(t, c).Check(t.Context(), "p", "email")
	require.EqualError(t, err, "dsr: 2 faults:\n\terror: shop:customers: its schema cannot be read: connection \"shop\" is unavailable: context deadline exceeded\n\terror: shop:orders: its schema cannot be read: connection \"shop\" is unavailable: context deadline exceeded")
}
