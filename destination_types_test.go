package dsr_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestFolderDestinationType(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	dir := filepath.Join(t.TempDir(), "packages")
	c.config.DestinationTypes = map[string]dsr.DestinationType{"local": dsr.FolderDestinationType(dir, nil)}
	c.engine = newEngine(t, c.config)
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Destinations["folder"].Details = map[string]string{"naming": "request_id"}
	})
	require.Empty(t, c.problems(t))
	req, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	_, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, req.ID+".json"))
	require.NoError(t, err)
	require.Contains(t, string(text), "ada@example.com")

	c.update(t, func(d *dsr.Definitions) { d.Destinations["folder"].Details["naming"] = "custom" })
	require.Equal(t, `destination folder: it cannot be opened: naming can only be "request_id"`, c.problems(t)[0])
}
