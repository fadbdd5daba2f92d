package storagetest_test

import (
	"testing"

	"github.com/godsr/dsr/adapters/storagetest"
	"github.com/godsr/dsr/storage"
)

func TestFolder(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func() (storagetest.Place, error) {
		return storagetest.Place{Destination: storage.NewFolder(t.TempDir(), nil)}, nil
	})
}
