// Package redact decides which names of datasets, collections and fields a data
// package shows. Values are never changed.
package redact
