package endtoend_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

const guestsYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: guests
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
`

func TestRowsOfOthersWithTheSameDeclaredKeyAreLeftAlone(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *database) {
		db.exec(t, `create table guests (id int, email varchar(99), name varchar(99))`,
			`insert into guests values (0, 'ada@example.com', 'Guest'), (0, 'bob@example.com', 'Guest')`)
		_, err := db.erase(t, guestsYAML, dsr.SharedErase)
		require.NoError(t, err)
		require.Equal(t, []string{"x"}, db.rows(t, "select name from guests where email = 'ada@example.com'"))
		require.Equal(t, []string{"Guest"}, db.rows(t, "select name from guests where email = 'bob@example.com'"))
		_, err = db.erase(t, strings.Replace(guestsYAML, "- name: guests\n", "- name: guests\n        fides_meta: {masking_strategy_override: {strategy: delete}}\n", 1), dsr.SharedErase)
		require.NoError(t, err)
		require.Equal(t, []string{"bob@example.com"}, db.rows(t, "select email from guests"))
	})
}

const messagesYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
      - name: messages
        fields:
          - {name: sender, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
          - {name: recipient, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
          - {name: body, data_categories: [user.content]}
`

func TestKeylessRowsWithAPartOfTheirAddressAreMasked(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *database) {
		for _, unique := range []string{"", " not null unique"} {
			db.exec(t, `create table customers (id int primary key, email varchar(99))`, `insert into customers values (1, 'ada@example.com')`,
				`create table messages (sender int`+unique+`, recipient int, body varchar(99))`,
				`insert into messages values (1, null, 'a'), (3, 1, 'b'), (2, null, 'd')`)
			if unique == "" {
				db.exec(t, `insert into messages values (null, 1, 'e')`)
			}
			req, err := db.erase(t, messagesYAML, dsr.SharedErase)
			require.NoError(t, err)
			require.Equal(t, []string{"d"}, db.rows(t, "select body from messages where body <> 'x'"))
			for _, c := range req.Collections {
				if c.Address.Collection == "messages" {
					require.Equal(t, c.Rows, c.Masked)
				}
			}
			db.exec(t, "drop table customers", "drop table messages")
		}
	})
}
