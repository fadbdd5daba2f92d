package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// PackageOptions say how a package is written.
type PackageOptions struct {
	// Name is that of the package without its extension. Required.
	Name string
	// Format defaults to [JSON].
	Format Format
	// About is what the package tells of itself. Required.
	About *About
	// Key makes a [KeyedFormat] encrypt what it writes. Defaults to none.
	Key []byte
	// Encrypter encrypts the whole package for To. Defaults to none.
	Encrypter Encrypter
	To        *Recipients
}

// FileName is the name of the package's file, with all its extensions.
func (o *PackageOptions) FileName() string {
	name := o.Name + o.format().Extension()
	if o.Encrypter != nil {
		name += o.Encrypter.Extension()
	}
	return name
}

func (o *PackageOptions) format() Format {
	if o.Format == nil {
		return JSON{}
	}
	return o.Format
}

// Check reports why a package cannot be encrypted as it has to be, so that this
// is known before anything is collected.
func (o *PackageOptions) Check() error {
	switch _, keyed := o.format().(KeyedFormat); {
	case o.Key == nil && o.Encrypter == nil:
		return nil
	case o.Key != nil && o.Encrypter != nil:
		return errors.New("storage: a package is encrypted with a key or for recipients, not both")
	case o.Key != nil && !keyed:
		return fmt.Errorf("storage: packages with the extension %s cannot be encrypted with a key; ask for a passphrase or a public key", o.format().Extension())
	case o.Key != nil:
		return checkKey(o.Key)
	}
	return o.Encrypter.Check(o.To)
}

// Package is one data package on its way to a destination: its format, its
// encryption, its upload and its manifest.
type Package struct {
	Writer
	dest   Destination
	opts   PackageOptions
	upload Upload
	out    *digest
	sealed io.WriteCloser // nil where nothing encrypts the whole
	over   bool           // was committed or aborted
}

// Create starts a package. It must be ended with Commit or Abort.
func Create(ctx context.Context, dest Destination, opts PackageOptions) (*Package, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	if opts.About == nil {
		return nil, errors.New("storage: PackageOptions.About is missing: a package tells of itself")
	}
	upload, err := dest.Create(ctx, opts.FileName())
	if err != nil {
		return nil, err
	}
	p := &Package{dest: dest, opts: opts, upload: upload, out: &digest{w: upload, sum: sha256.New()}}
	if err := p.open(); err != nil {
		return nil, errors.Join(err, p.Abort())
	}
	return p, nil
}

func (p *Package) open() (err error) {
	var w io.Writer = p.out
	if p.opts.Encrypter != nil {
		if p.sealed, err = p.opts.Encrypter.Encrypt(w, p.opts.To); err != nil {
			return err
		}
		w = p.sealed
	}
	if p.opts.Key != nil {
		p.Writer, err = p.opts.format().(KeyedFormat).NewKeyedWriter(w, p.opts.About, p.opts.Key)
	} else {
		p.Writer, err = p.opts.format().NewWriter(w, p.opts.About)
	}
	return err
}

// Commit ends the package, writes its manifest beside it and then makes it
// visible. Package, Bytes, SHA256 and Rows of the manifest are filled in;
// Collections is what the package tells as well. The package is over then, also
// when Commit fails: another Commit returns [ErrUploadOver].
func (p *Package) Commit(ctx context.Context, m *Manifest) error {
	if p.over {
		return ErrUploadOver
	}
	defer func() { _ = p.Abort() }()
	if err := p.Close(ctx, m.Collections); err != nil {
		return err
	}
	if p.sealed != nil {
		if err := p.sealed.Close(); err != nil {
			return fmt.Errorf("storage: encrypt: %w", err)
		}
	}
	m.Package, m.Bytes, m.SHA256, m.Rows = p.opts.FileName(), p.out.n, hex.EncodeToString(p.out.sum.Sum(nil)), p.Rows()
	if err := WriteManifest(ctx, p.dest, p.opts.Name, m); err != nil {
		return err
	}
	return p.upload.Commit(ctx)
}

// Abort drops the package: nothing of it becomes visible. It does nothing after
// Commit, so that it can be deferred.
func (p *Package) Abort() error {
	p.over = true
	return p.upload.Abort()
}

// digest counts and hashes what reaches a writer.
type digest struct {
	w   io.Writer
	sum hash.Hash
	n   int64
}

func (d *digest) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.sum.Write(p[:n])
	d.n += int64(n)
	return n, err
}
