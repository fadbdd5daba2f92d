// Package redact decides which names of datasets, collections and fields a data
// package shows. Values are never changed.
//
// A [Registry] holds the [Patterns] in use. [Names] gathers the names of the
// packages of one request, asks their own settings and the patterns which of
// them are replaced, and gives those numbers.
package redact
