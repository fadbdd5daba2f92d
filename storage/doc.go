// Package storage writes data packages: what a privacy request found about a
// person, as one file, beside a manifest that says what the package holds and
// what it lacks.
//
// A [JSON] writer streams the package into an [Upload] that a [Destination]
// opened. Nothing is visible at the destination before the upload is
// committed, so that nobody ever fetches half a package:
//
//	up, err := folder.Create(ctx, "pri_1-access.json")
//	...
//	doc := storage.NewJSON(up)
//	err = doc.Collection("shop:customer")
//	err = doc.Row([]byte(`{"email":"..."}`))
//	err = doc.Close()
//	err = storage.WriteManifest(ctx, folder, "pri_1-access", manifest)
//	err = up.Commit(ctx)
package storage
