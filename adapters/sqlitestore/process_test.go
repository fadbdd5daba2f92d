package sqlitestore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlitestore"
)

// childEnv makes the test binary a child process: "verb path".
const childEnv = "SQLITESTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if task, ok := os.LookupEnv(childEnv); ok {
		if err := child(task); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child opens the store. Then "create" creates one request, and "write"
// writes versions of one until it is killed, and says when each is stored.
func child(task string) error {
	ctx := context.Background()
	verb, path, _ := strings.Cut(task, " ")
	s, err := sqlitestore.Open(ctx, path, patient())
	if err != nil {
		return err
	}
	if verb == "create" {
		r := dsr.Record{ID: fmt.Sprint("process ", os.Getpid()), Version: 1}
		if err := s.Commit(ctx, &dsr.StoreChange{Record: r}); err != nil {
			return err
		}
		return s.Close()
	}
	for version := int64(1); ; version++ {
		text := fmt.Sprint(version)
		if err := s.Commit(ctx, &dsr.StoreChange{
			ExpectVersion: version - 1,
			Record:        dsr.Record{ID: "r1", Version: version, Failure: text, Keys: map[string][]byte{"k": []byte(text)}},
			AppendJournal: []dsr.JournalChunk{{Step: text, Sealed: make([]byte, 20_000)}},
			Ticks:         []dsr.Tick{{Seq: int(version)}},
			Events:        []dsr.Event{{Message: text}},
		}); err != nil {
			return err
		}
		fmt.Println(version)
	}
}

func command(t *testing.T, verb, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+verb+" "+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// Processes that start at once on a new file share one schema.
func TestProcessesStartTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	processes := make([]*exec.Cmd, 6)
	for i := range processes {
		processes[i] = command(t, "create", path)
		require.NoError(t, processes[i].Start())
	}
	for _, p := range processes {
		require.NoError(t, p.Wait())
	}
	list, err := openStore(t, path).Requests(t.Context(), dsr.RecordQuery{})
	require.NoError(t, err)
	require.Len(t, list, len(processes))
}

// A process that is killed leaves every change that it was told is stored,
// and no part of another.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	for _, after := range []int{1, 7, 40} {
		path := filepath.Join(t.TempDir(), "dsr.db")
		p := command(t, "write", path)
		out, err := p.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, p.Start())
		lines := bufio.NewScanner(out)
		told := 0
		for lines.Scan() {
			told, err = strconv.Atoi(lines.Text())
			require.NoError(t, err)
			if told == after {
				require.NoError(t, p.Process.Kill())
			}
		}
		require.Error(t, p.Wait())
		require.GreaterOrEqual(t, told, after)

		s := openStore(t, path)
		r, err := s.Request(t.Context(), "r1")
		require.NoError(t, err)
		version := int(r.Version)
		require.GreaterOrEqual(t, version, told)
		require.Equal(t, strconv.Itoa(version), r.Failure)
		require.Equal(t, map[string][]byte{"k": []byte(r.Failure)}, r.Keys)
		journal, err := s.Journal(t.Context(), "r1", 0, 0)
		require.NoError(t, err)
		require.Len(t, journal, version)
		for i, chunk := range journal {
			require.Equal(t, strconv.Itoa(i+1), chunk.Step)
			require.True(t, chunk.Applied)
		}
		events, err := s.Events(t.Context(), "r1", 0, 0)
		require.NoError(t, err)
		require.Len(t, events, version)
	}
}
