package crash_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// masking is what the policy does to a field.
type masking int

const (
	kept masking = iota
	hashed
	random
	nulled
	// given fields are in the package; their rows are deleted.
	given
)

// column is one column of a table; a document has masked paths inside.
type column struct {
	name, native string
	masking      masking
	inside       []inside
}

type inside struct {
	path    []string
	masking masking
}

// table is one table of the two databases. Column 0 is the primary key, which
// no rule touches.
type table struct {
	name    string
	columns []column
	delete  bool
	refers  string // the table that the second column refers to in the database itself
	rows    int    // of the data subject; others have as many
}

const subject = "Qzxmail.Subject@Example.com"

// canaries are parts of everything personal in the data subject's rows.
func canaries() []string { return []string{"qzxmail", "qzxname", "qzxphone", "qzxstreet", "qzxtext"} }

func id() column { return column{name: "id", native: "INTEGER"} }

func ref(name string) column { return column{name: name, native: "INTEGER"} }

func text(name string, m masking) column { return column{name: name, native: "TEXT", masking: m} }

// shop is in the SQLite file.
func shop() []table {
	return []table{
		{name: "customers", rows: 3, columns: []column{id(), text("email", hashed), text("name", hashed), text("phone", nulled), text("note", random)}},
		{name: "orders", rows: 70, columns: []column{
			id(), ref("customer_id"), text("recipient", hashed), text("note", random), text("phone", nulled), ref("total"),
			{name: "gift", native: "JSON", inside: []inside{
				{[]string{"to", "name"}, hashed}, {[]string{"to", "street"}, nulled}, {[]string{"card"}, random},
			}},
		}},
		{name: "visits", rows: 35, delete: true, columns: []column{id(), ref("customer_id"), text("search", given)}},
	}
}

// crm is on the server.
func crm() []table {
	return []table{
		{name: "contacts", rows: 3, columns: []column{id(), {name: "profile", native: "JSON", inside: []inside{
			{[]string{"email"}, hashed}, {[]string{"name"}, hashed}, {[]string{"about"}, random}, {[]string{"home", "street"}, nulled},
		}}}},
		{name: "tickets", rows: 49, columns: []column{id(), ref("contact_id"), text("author", hashed), text("body", random), text("phone", nulled)}},
		{name: "shipments", rows: 49, columns: []column{id(), ref("order_id"), text("recipient", hashed), text("street", nulled), text("hint", random)}},
		{name: "mails", rows: 21, delete: true, columns: []column{id(), ref("contact_id"), text("body", given)}},
		{name: "attachments", rows: 21, delete: true, refers: "mails", columns: []column{id(), ref("mail_id"), text("body", given)}},
	}
}

// mine says whose a row is: they take turns, so that every chunk and every
// page of an index holds rows of both.
func mine(id int) bool { return id%2 == 1 }

// owner returns the id of a row of the same person in a table with n rows of
// each.
func owner(id, n int) int { return (id-1)/2%n*2 + 1 + (id-1)%2 }

// rowsOf makes the rows of a table: twice as many as it has of the data
// subject, of which every fifth lacks what may be missing.
func rowsOf(t table) [][]any {
	var rows [][]any
	for i := 1; i <= 2*t.rows; i++ {
		word := func(kind string) any {
			if mine(i) {
				return fmt.Sprintf("Qzx%s %d of the subject", kind, i%7)
			}
			return fmt.Sprintf("%s %d of another", kind, i%7)
		}
		maybe := func(kind string) any {
			if i%5 == 0 {
				return nil
			}
			return fmt.Sprintf("%s in row %d", word(kind), i)
		}
		var row []any
		switch t.name {
		case "customers":
			row = []any{i, emailOf(i), word("name"), maybe("phone"), maybe("text")}
		case "orders":
			gift := document(map[string]any{
				"to":   map[string]any{"name": word("name"), "street": word("street"), "floor": i},
				"card": maybe("text"), "wrap": i%3 == 0, "lines": []any{"a", i, 1.5},
			})
			row = []any{i, owner(i, 3), word("name"), long(maybe("text")), maybe("phone"), i * 100, gift}
		case "contacts":
			row = []any{i, document(map[string]any{
				"email": emailOf(i), "name": word("name"), "about": word("text"), "lang": "en",
				"home": map[string]any{"street": word("street"), "zip": "0000"},
			})}
		case "tickets":
			row = []any{i, owner(i, 3), word("name"), maybe("text"), maybe("phone")}
		case "shipments":
			row = []any{i, owner(i, 70), word("name"), maybe("street"), maybe("text")}
		case "attachments":
			row = []any{i, owner(i, 21), maybe("text")}
		default:
			row = []any{i, owner(i, 3), maybe("text")}
		}
		rows = append(rows, row)
	}
	return rows
}

// long makes a text so long that the rows do not fit into memory: they go to
// the spool.
func long(v any) any {
	if text, ok := v.(string); ok {
		return strings.Repeat(text+", ", 60)
	}
	return v
}

// emailOf is the address of a customer, which the data subject wrote in
// another case each time.
func emailOf(i int) string {
	switch {
	case !mine(i):
		return fmt.Sprintf("other%d@example.org", i)
	case i == 1:
		return "qzxmail.subject@example.com"
	case i == 3:
		return "QZXMAIL.SUBJECT@EXAMPLE.COM"
	}
	return subject
}

func document(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}
