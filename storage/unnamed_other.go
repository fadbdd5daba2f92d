//go:build !linux

package storage

import (
	"errors"
	"os"
)

// openUnnamed reports that this system has no files without a name.
func openUnnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func giveName(*os.File, string) error { return errors.ErrUnsupported }
