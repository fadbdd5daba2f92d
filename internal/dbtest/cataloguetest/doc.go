// Package cataloguetest holds the tests of connections that are made at run
// time, over real database servers.
package cataloguetest
