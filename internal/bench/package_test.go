package bench_test

import (
	"bufio"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/klauspost/compress/zip"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/bench"
)

// maxPackageMemory is the high-water mark that no package may pass, in MiB.
const maxPackageMemory = 96

// TestPackageMemory writes packages of rows and files in every format, of 200
// MiB or DSR_PACKAGE_MIB, in a process of its own.
func TestPackageMemory(t *testing.T) {
	t.Parallel()
	mib := 200
	if s := os.Getenv("DSR_PACKAGE_MIB"); s != "" {
		var err error
		mib, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	writer := filepath.Join(t.TempDir(), "packagewriter")
	// Without the race detector, whose memory would be measured.
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", writer, "./packagewriter").CombinedOutput()
	require.NoError(t, err, string(out))
	for format := range bench.Formats() {
		t.Run(format, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), writer, format, strconv.Itoa(mib), t.TempDir()) //nolint:gosec // built above
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			require.NoError(t, err)
			var peak, size, written, took int64
			_, err = fmt.Sscan(string(out), &peak, &size, &written, &took)
			require.NoError(t, err)
			t.Logf("%d MiB as %s: high-water mark %.1f MiB, file %d MiB, %.0f MB/s", size>>20, format, float64(peak)/1024, written>>20, float64(size)/1e3/float64(took))
			require.Greater(t, size, int64(mib)<<20*9/10)
			require.Less(t, float64(peak)/1024, float64(maxPackageMemory))
		})
	}
}

// counter counts what is written to it.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// BenchmarkPackage writes a package of 64 MiB in every format, beside a bare
// encoder that writes the same rows and files, for CSV and HTML into a bare zip
// writer.
func BenchmarkPackage(b *testing.B) {
	p := bench.NewPackage(64)
	rows := records(b, p)
	for format, bare := range map[string]func(*bench.Package, []packageRecord, io.Writer) error{"json": bareJSON, "csv": bareCSV, "html": bareHTML} {
		b.Run(format, func(b *testing.B) {
			var ours, theirs counter
			compare(b, func(int) {
				ours.n = 0
				w, err := bench.Formats()[format].NewWriter(&ours, p.About())
				require.NoError(b, err)
				_, err = p.Write(b.Context(), w)
				require.NoError(b, err)
			}, func(int) {
				theirs.n = 0
				buf := bufio.NewWriterSize(&theirs, 64<<10)
				require.NoError(b, bare(p, rows, buf))
				require.NoError(b, buf.Flush())
			})
			b.ReportMetric(float64(ours.n)/(1<<20), "MiB")
			b.ReportMetric(float64(theirs.n)/(1<<20), "bare-MiB")
		})
	}
}

// packageRecord is a row of the package.
type packageRecord struct {
	ID        int         `json:"id"`
	CreatedAt string      `json:"created_at"`
	Email     string      `json:"email"`
	Name      string      `json:"name"`
	Note      string      `json:"note"`
	Amount    json.Number `json:"amount"`
	Active    bool        `json:"active"`
	City      string      `json:"city"`
}

// records are the rows of the package, which come again after the last.
func records(b *testing.B, p *bench.Package) []packageRecord {
	b.Helper()
	rows := make([]packageRecord, 1024)
	for n := range rows {
		require.NoError(b, json.Unmarshal(p.Row(n), &rows[n]))
	}
	return rows
}

func bareJSON(p *bench.Package, rows []packageRecord, w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for range bench.PackageCollections {
		for n := range p.Rows() {
			if err := enc.Encode(&rows[n%len(rows)]); err != nil {
				return err
			}
		}
	}
	for n := range bench.PackageFiles {
		e := base64.NewEncoder(base64.StdEncoding, w)
		if _, err := io.Copy(e, p.File(n)); err != nil {
			return err
		}
		if err := e.Close(); err != nil {
			return err
		}
	}
	return nil
}

// bareZip writes a file for every collection and the files as they are.
func bareZip(p *bench.Package, w io.Writer, table func(w io.Writer) error) error {
	z := zip.NewWriter(w)
	for n := range bench.PackageCollections {
		entry, err := z.Create(bench.PackageTable(n))
		if err != nil {
			return err
		}
		if err := table(entry); err != nil {
			return err
		}
	}
	for n := range bench.PackageFiles {
		entry, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(n), Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := io.Copy(entry, p.File(n)); err != nil {
			return err
		}
	}
	return z.Close()
}

func bareCSV(p *bench.Package, rows []packageRecord, w io.Writer) error {
	return bareZip(p, w, func(w io.Writer) error {
		out := csv.NewWriter(w)
		cells := make([]string, len(p.Columns()))
		for n := range p.Rows() {
			r := &rows[n%len(rows)]
			cells = append(cells[:0], strconv.Itoa(r.ID), r.CreatedAt, r.Email, r.Name, r.Note, r.Amount.String(), strconv.FormatBool(r.Active), r.City)
			if err := out.Write(cells); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
}

func bareHTML(p *bench.Package, rows []packageRecord, w io.Writer) error {
	names := p.Columns()
	return bareZip(p, w, func(w io.Writer) error {
		buf := bufio.NewWriter(w)
		for n := range p.Rows() {
			r := &rows[n%len(rows)]
			for i, cell := range []string{strconv.Itoa(r.ID), r.CreatedAt, r.Email, r.Name, r.Note, r.Amount.String(), strconv.FormatBool(r.Active), r.City} {
				_, _ = buf.WriteString("<dt>")
				template.HTMLEscape(buf, []byte(names[i]))
				_, _ = buf.WriteString("</dt><dd>")
				template.HTMLEscape(buf, []byte(cell))
				_, _ = buf.WriteString("</dd>")
			}
		}
		return buf.Flush()
	})
}
