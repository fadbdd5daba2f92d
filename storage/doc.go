// Package storage writes data packages: what a privacy request found about a
// person, as one file, beside a manifest that says what the package holds and
// what it lacks.
//
// A [Format] says how: [JSON] for machines, [CSV] for spreadsheets, [HTML] for
// people. [Create] starts a package, encrypted where it has to be, at a
// [Destination]; nothing is visible there before Commit, so that nobody ever
// fetches half of one:
//
//	p, err := storage.Create(ctx, folder, storage.PackageOptions{Name: "pri_1", Format: storage.HTML{}, About: about})
//	...
//	defer p.Abort()
//	err = p.Collection(&storage.Collection{Dataset: "shop", Name: "customer"})
//	err = p.Row([]byte(`{"email":"..."}`))
//	err = p.Commit(ctx, manifest)
package storage
