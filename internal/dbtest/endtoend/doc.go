// Package endtoend holds tests of whole requests over real databases: what an
// engine and a connector do together with keys that a server enforces.
package endtoend
