package endtoend_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
)

const forumYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: threads
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: owner, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: posts
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: author, data_categories: [user.contact.email], fides_meta: {identity: email}}
`

// Ada's thread 1 holds a post of Bob's, her thread 2 none; Bob's thread 3 hangs
// below her thread 4.
func forum(t *testing.T, db *database, onDelete string) {
	t.Helper()
	db.exec(t,
		`create table threads (id int primary key, owner varchar(99), above int, foreign key (above) references threads (id) `+onDelete+`)`,
		`create table posts (id int primary key, author varchar(99), thread int, foreign key (thread) references threads (id) `+onDelete+`)`,
		`insert into threads values (1, 'ada@example.com', null), (2, 'ada@example.com', 1), (4, 'ada@example.com', null), (3, 'bob@example.com', 4)`,
		`insert into posts values (11, 'ada@example.com', 1), (12, 'bob@example.com', 1), (13, 'ada@example.com', 2), (14, 'bob@example.com', 3)`,
	)
}

func TestRowsOfOthersAreNeverDeletedAlong(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *database) {
		for _, onDelete := range []string{"on delete cascade", ""} {
			forum(t, db, onDelete)
			_, err := db.erase(t, forumYAML, dsr.SharedErase)
			require.ErrorContains(t, err, "shop:threads: its rows are to be deleted, but rows of others refer to them: 1 of table ")
			require.Equal(t, []string{"1", "2", "3", "4"}, db.rows(t, "select id from threads order by id"))
			require.Equal(t, []string{"11", "12", "13", "14"}, db.rows(t, "select id from posts order by id"))

			req, err := db.erase(t, forumYAML, dsr.SharedKeep)
			require.NoError(t, err)
			require.Equal(t, []string{"1", "3", "4"}, db.rows(t, "select id from threads order by id"))
			require.Equal(t, []string{"12", "14"}, db.rows(t, "select id from posts order by id"))
			for _, c := range req.Collections {
				if c.Address.Collection == "threads" {
					require.Equal(t, []int64{3, 2, 1, 1}, []int64{c.Rows, c.Shared, c.Targeted, c.Masked})
				}
			}
			db.exec(t, "drop table posts", "drop table threads")
		}
	})
}

func TestForeignKeysThatSetNullLeaveRowsOfOthers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *database) {
		forum(t, db, "on delete set null")
		_, err := db.erase(t, forumYAML, dsr.SharedRefuse)
		require.NoError(t, err)
		require.Equal(t, []string{"3"}, db.rows(t, "select id from threads where above is null"))
		require.Equal(t, []string{"12", "14"}, db.rows(t, "select id from posts order by id"))
		require.Equal(t, []string{"12"}, db.rows(t, "select id from posts where thread is null"))
	})
}

const commentsYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: comments
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: author, data_categories: [user.contact.email], fides_meta: {identity: email}}
`

func TestRowsOfOneTableGoChildrenFirst(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *database) {
		db.exec(t, `create table comments (id int primary key, author varchar(99), parent int, foreign key (parent) references comments (id))`,
			`insert into comments values (1, 'ada@example.com', null)`, `insert into comments values (2, 'ada@example.com', 1)`,
			`insert into comments values (9, 'ada@example.com', 2)`, `insert into comments values (4, 'ada@example.com', 9)`,
			`insert into comments values (5, 'ada@example.com', 1)`, `insert into comments values (6, 'ada@example.com', 1)`,
			`insert into comments values (7, 'bob@example.com', null)`, `insert into comments values (8, 'ada@example.com', 7)`)
		_, err := db.erase(t, commentsYAML, dsr.SharedErase)
		require.NoError(t, err)
		require.Equal(t, []string{"7"}, db.rows(t, "select id from comments"))
	})
}

func TestRowsInARingGoTogether(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *database) {
		onDelete := ""
		if db.dialect == sqlconn.MySQL {
			onDelete = "on delete cascade" // it checks row by row
		}
		db.exec(t, `create table comments (id int primary key, author varchar(99), parent int, foreign key (parent) references comments (id) `+onDelete+`)`,
			`insert into comments values (1, 'ada@example.com', null), (2, 'ada@example.com', 1), (3, 'ada@example.com', 2)`,
			`update comments set parent = 2 where id = 1`)
		_, err := db.erase(t, commentsYAML, dsr.SharedErase)
		require.NoError(t, err)
		require.Empty(t, db.rows(t, "select id from comments"))
	})
}
