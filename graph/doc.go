// Package graph is the data map of a company and the way through it.
//
// Annotated datasets say which collections (tables, documents, endpoints)
// exist, which data categories their fields hold, and how their rows refer to
// each other. A [DataMap] joins the datasets of all connections. From a data
// map, a [Policy] and the kinds of identity that a request brings,
// [NewPlan] works out once, and the same way on every machine, which
// collections are reached, in which order, and by which values. [Walk] takes a
// plan and visits its steps concurrently.
//
// The package is pure: it does no I/O beyond the readers it is given, reads no
// clock and logs nothing.
package graph
