package sqlconn

import (
	"errors"
	"regexp"
	"strconv"
)

var (
	mysqlCode = regexp.MustCompile(`^Error (\d{1,5})\b`)
	// sqliteTexts are messages of SQLite itself, from drivers that offer no
	// code.
	sqliteTexts = map[string]*regexp.Regexp{
		sqliteBusy:     regexp.MustCompile(`^(sqlite3: )?database (table )?is locked`),
		sqliteIOError:  regexp.MustCompile(`^(sqlite3: )?disk I/O error`),
		sqliteFull:     regexp.MustCompile(`^(sqlite3: )?database or disk is full`),
		sqliteCantOpen: regexp.MustCompile(`^(sqlite3: )?unable to open database file`),
	}
)

// nativeCode finds the database's code, and whose it is, through what drivers
// offer: a method SQLState (pgx, lib/pq), a method Code (SQLite), the number at
// the start of the message (MySQL). The same number may mean different things
// in MySQL and in SQLite.
func nativeCode(err error) (family Dialect, code string) {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return PostgreSQL, state.SQLState()
	}
	var number interface{ Code() int }
	if errors.As(err, &number) {
		return SQLite, strconv.Itoa(number.Code())
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if m := mysqlCode.FindStringSubmatch(err.Error()); m != nil {
			return MySQL, m[1]
		}
		for code, text := range sqliteTexts {
			if text.MatchString(err.Error()) {
				return SQLite, code
			}
		}
	}
	return "", ""
}

// Result codes of SQLite; extended codes carry them in their lowest byte.
const (
	sqliteBusy     = "5"
	sqliteLocked   = "6"
	sqliteNoMemory = "7"
	sqliteReadOnly = "8"
	sqliteIOError  = "10"
	sqliteFull     = "13"
	sqliteCantOpen = "14"
	sqliteProtocol = "15"
)

// sqliteClass strips what extends a result code of SQLite.
func sqliteClass(code string) string {
	n, err := strconv.Atoi(code)
	if err != nil {
		return code
	}
	return strconv.Itoa(n & 0xff)
}

// retryable reports whether the same transaction may succeed when it is tried
// again at once.
func retryable(d dialect, err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.cause != nil {
		return false
	}
	switch d.(type) {
	case postgres:
		return e.Code == "40001" || e.Code == "40P01"
	case mysql:
		return e.Code == "1213" || e.Code == "1205" || e.Code == "1020"
	default:
		class := sqliteClass(e.Code)
		return class == sqliteBusy || class == sqliteLocked
	}
}

// What codes mean, in our words. They never tell a value.
const (
	reasonRefused     = "the database refused the statement"
	reasonUnfit       = "a value does not fit its column"
	reasonConstraint  = "a constraint of the table refuses the change"
	reasonPermission  = "permission denied"
	reasonCredentials = "the database does not accept the user name and the password, or from where they come"
	reasonNoDatabase  = "there is no such database"
	reasonUnsafe      = "the connection cannot be encrypted: the server offers no TLS, or a certificate that cannot be verified"
	reasonChanged     = "the table changed: describe it again"
	reasonReadOnly    = "the database may not be written to"
	reasonCollision   = "the transaction collided with others"
	reasonBusy        = "the database is busy"
	reasonEnded       = "the database ended the connection or the statement"
	reasonUnreachable = "the database cannot be reached"
	reasonResource    = "the database is out of a resource"
	reasonFull        = "the database has no room left"
	reasonIO          = "the database cannot read or write its files"
	reasonCantOpen    = "the database cannot open its file: there may be no such file"
)

// passing reports whether what a code tells is likely to go away by itself.
//
// A server that turns read-only counts: the table was described as writable
// before, so that this is a primary that became a standby, or was fenced off
// because its disk is nearly full. A time-out of the server's counts as one of
// ours does. An account that is refused does not, nor does a database that is
// not there: somebody has to mend these.
func passing(family Dialect, code string) bool {
	switch reasonOf(family, code) {
	case reasonCollision, reasonBusy, reasonEnded, reasonUnreachable, reasonResource, reasonFull, reasonIO, reasonCantOpen:
		return true
	case reasonReadOnly:
		// The others are settings of the connection or of the file.
		return family == PostgreSQL || family == MySQL && (code == "1290" || code == "1836")
	}
	return false
}

// reasonOf says what a code means, as far as it helps.
func reasonOf(family Dialect, code string) string {
	switch family {
	case PostgreSQL:
		return postgresReason(code)
	case MySQL:
		return mysqlReason(code)
	case SQLite:
		return sqliteReason(code)
	}
	return reasonRefused
}

func postgresReason(code string) string {
	switch code {
	case "42501":
		return reasonPermission
	case "28000", "28P01":
		return reasonCredentials
	case "3D000":
		return reasonNoDatabase
	case "42P01", "42703":
		return reasonChanged
	case "25006":
		return reasonReadOnly
	case "25P03", "25P04", "57014", "57P01", "57P02", "57P03", "57P05":
		return reasonEnded
	case "40002": // a constraint, checked at the end
		return reasonConstraint
	case "53100":
		return reasonFull
	case "55P03":
		return reasonBusy
	case "58030":
		return reasonIO
	}
	switch {
	case len(code) != 5:
		return reasonRefused
	case code[:2] == "08":
		return reasonUnreachable
	case code[:2] == "22":
		return reasonUnfit
	case code[:2] == "23":
		return reasonConstraint
	case code[:2] == "40":
		return reasonCollision
	case code[:2] == "53":
		return reasonResource
	}
	return reasonRefused
}

func mysqlReason(code string) string {
	switch code {
	case "1048", "1062", "1451", "1452", "3819", "4025":
		return reasonConstraint
	case "1264", "1265", "1292", "1366", "1406":
		return reasonUnfit
	case "1290", "1792", "1836":
		return reasonReadOnly
	case "1045", "1698":
		return reasonCredentials
	case "1049":
		return reasonNoDatabase
	case "1044", "1142", "1143":
		return reasonPermission
	case "1054", "1146":
		return reasonChanged
	case "1020", "1180", "1213":
		return reasonCollision
	case "1205", "1206", "1637", "3572": // locks, their table, transactions
		return reasonBusy
	case "1047", "1053", "1077", "1079", "1080", "1152", "1184", "1317", "1927", "1969", "3024", "4031":
		return reasonEnded
	case "1042", "1043", "1158", "1159", "1160", "1161", "2002", "2003", "2006", "2013", "2055":
		return reasonUnreachable
	case "1037", "1040", "1041", "1135", "1203", "1226": // memory, connections, threads, an hour's share
		return reasonResource
	case "20", "1021", "1114":
		return reasonFull
	case "3", "1026", "1030": // writing a file, the storage engine
		return reasonIO
	}
	return reasonRefused
}

func sqliteReason(code string) string {
	switch sqliteClass(code) {
	case "19":
		return reasonConstraint
	case "20":
		return reasonUnfit
	case sqliteReadOnly:
		return reasonReadOnly
	case sqliteBusy, sqliteLocked, sqliteProtocol:
		return reasonBusy
	case sqliteNoMemory:
		return reasonResource
	case sqliteFull:
		return reasonFull
	case sqliteIOError:
		return reasonIO
	case sqliteCantOpen:
		return reasonCantOpen
	}
	return reasonRefused
}
