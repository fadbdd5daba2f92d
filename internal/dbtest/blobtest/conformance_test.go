package blobtest_test

import (
	"testing"

	"github.com/godsr/dsr/adapters/storagetest"
	"github.com/godsr/dsr/internal/dbtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	server := dbtest.S3(t)
	storagetest.Run(t, func() (storagetest.Place, error) {
		s, err := newStore(t.Context(), server)
		return storagetest.Place{Destination: s}, err
	})
}
