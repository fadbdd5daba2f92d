// Package sqlconntest holds the tests of adapters/sqlconn that need real
// servers. It has no other code.
package sqlconntest
