package sqlconn

import "context"

// mysqlReadOnly has its name from the version.
const mysqlReadOnly = `SHOW SESSION VARIABLES WHERE Variable_name IN ('transaction_read_only', 'tx_read_only') AND Value = 'ON'`

// mysqlPrivileges lists what the account was granted, on any level, that bears
// on the table; it has a row of the level "user" for every account that the
// catalogue knows.
const mysqlPrivileges = `SELECT p.level, p.PRIVILEGE_TYPE, p.COLUMN_NAME FROM (
	SELECT 'user' AS level, GRANTEE, PRIVILEGE_TYPE, '' AS COLUMN_NAME FROM information_schema.USER_PRIVILEGES
	UNION ALL SELECT 'schema', GRANTEE, PRIVILEGE_TYPE, '' FROM information_schema.SCHEMA_PRIVILEGES WHERE ? LIKE TABLE_SCHEMA
	UNION ALL SELECT 'table', GRANTEE, PRIVILEGE_TYPE, '' FROM information_schema.TABLE_PRIVILEGES
		WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?
	UNION ALL SELECT 'column', GRANTEE, PRIVILEGE_TYPE, COLUMN_NAME FROM information_schema.COLUMN_PRIVILEGES
		WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?) AS p
WHERE p.GRANTEE LIKE '%PUBLIC%' OR p.GRANTEE = CONCAT("'",
	LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1),
	"'@'", SUBSTRING_INDEX(CURRENT_USER(), '@', -1), "'")`

// writable says that the table cannot be written only where that is certain:
// what a role grants cannot be seen from here, so with one nothing is said.
func (mysql) writable(ctx context.Context, db querier, t *table) error {
	if t.readOnly != "" {
		return nil
	}
	err := each(ctx, db, mysqlReadOnly, nil, func(scanner) error {
		t.readOnly = "transactions of this connection are read-only"
		return nil
	})
	if err != nil || t.readOnly != "" {
		return err
	}
	role := false
	err = each(ctx, db, "SELECT COALESCE(CURRENT_ROLE(), 'NONE') <> 'NONE'", nil, func(scan scanner) error { return scan(&role) })
	if err != nil || role {
		return err
	}
	known, update, remove := false, false, false
	columns := map[string]bool{}
	args := []any{t.schema, t.schema, t.name, t.schema, t.name}
	err = each(ctx, db, mysqlPrivileges, args, func(scan scanner) error {
		var level, privilege, name string
		if err := scan(&level, &privilege, &name); err != nil {
			return err
		}
		known = known || level == "user"
		switch {
		case privilege == "DELETE":
			remove = true
		case privilege == "UPDATE" && level == "column":
			columns[name] = true
		case privilege == "UPDATE":
			update = true
		}
		return nil
	})
	if err != nil || !known {
		return err
	}
	if !remove {
		t.noDelete = "the account lacks the privilege DELETE on the table"
	}
	switch {
	case update:
	case len(columns) == 0:
		t.readOnly = "the account lacks the privilege UPDATE on the table"
	default:
		for _, c := range t.columns {
			c.ReadOnly = !columns[c.Name]
		}
	}
	return nil
}
