package blobtest_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/adapters/blob/blobs3"
	"github.com/godsr/dsr/internal/dbtest"
)

// childEnv makes the test binary a child process: it holds endpoint, bucket,
// megabytes to upload, and whether to commit.
const childEnv = "DSR_BLOB_UPLOAD"

const childFile = "large.zip"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		if err := child(context.Background(), strings.Fields(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// pattern gives bytes that differ everywhere.
func pattern() io.Reader { return rand.NewChaCha8([32]byte{7}) }

// child uploads and says so, then commits, or waits to be killed. Last it says
// how many bytes the upload held in memory at most.
func child(ctx context.Context, args []string) error {
	s, err := openStore(ctx, newClient(args[0], dbtest.S3SecretKey), args[1])
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	before := held()
	source := pattern()
	up, err := s.Create(ctx, childFile)
	if err != nil {
		return err
	}
	most := uint64(0)
	for range size {
		if _, err := io.CopyN(up, source, 1<<20); err != nil {
			return err
		}
		most = max(most, held()-before)
	}
	fmt.Println("written")
	if args[3] != "commit" {
		select {} // until it is killed
	}
	if err := up.Commit(ctx); err != nil {
		return err
	}
	fmt.Println(most)
	return nil
}

// held is what the process needs of its heap, in bytes.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// spawn starts a child and returns when it has written everything.
func spawn(t *testing.T, s *store, endpoint string, megabytes int, end string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %s", childEnv, endpoint, s.name, megabytes, end))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "written\n", line)
	return cmd, lines
}

// A large file arrives byte for byte, and the process that uploads it holds
// little of it.
func TestLargeUpload(t *testing.T) {
	t.Parallel()
	const megabytes = 200
	server := dbtest.S3(t)
	s := mustStore(t, server)
	cmd, lines := spawn(t, s, server.Endpoint(), megabytes, "commit")
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())

	file, err := s.Open(t.Context(), childFile)
	require.NoError(t, err)
	require.Equal(t, int64(megabytes<<20), file.Size())
	want, got := sha256.New(), sha256.New()
	_, err = io.Copy(want, io.LimitReader(pattern(), megabytes<<20))
	require.NoError(t, err)
	_, err = io.Copy(got, file)
	require.NoError(t, errors.Join(err, file.Close()))
	require.Equal(t, hex.EncodeToString(want.Sum(nil)), hex.EncodeToString(got.Sum(nil)))

	most, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.Greater(t, most, blob.DefaultBufferSize)
	t.Logf("the upload held at most %d bytes", most)
	// One is sent, the next is read, and the client reads the first one into
	// growing pieces, which it then joins.
	require.Less(t, most, 5*blob.DefaultBufferSize+2<<20)
	require.Zero(t, s.unfinished(t))
}

// A process that is killed leaves nothing visible and an older file as it was;
// the next one replaces it. Sweep removes what the service still holds.
func TestCrashOfTheProcess(t *testing.T) {
	t.Parallel()
	server := dbtest.S3(t)
	s := mustStore(t, server)
	for _, older := range []bool{false, true} {
		if older {
			s.put(t, childFile, "old")
		}
		cmd, _ := spawn(t, s, server.Endpoint(), 20, "hang")
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		if older {
			require.Equal(t, []string{prefix + childFile}, s.keys(t))
			require.Equal(t, "old", s.content(t, childFile))
		} else {
			require.Empty(t, s.keys(t))
		}
	}
	require.Equal(t, 2, s.unfinished(t), "invisible, and swept below")

	cmd, lines := spawn(t, s, server.Endpoint(), 20, "commit")
	_, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	want, err := io.ReadAll(io.LimitReader(pattern(), 20<<20))
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(want), sha256.Sum256([]byte(s.content(t, childFile))))

	sweep := func(opts blobs3.SweepOptions) int {
		n, err := blobs3.Sweep(t.Context(), s.bucket, s.name, &opts)
		require.NoError(t, err)
		return n
	}
	later := func() time.Time { return time.Now().Add(25 * time.Hour) }
	require.Zero(t, sweep(blobs3.SweepOptions{}), "they may still be written")
	require.Zero(t, sweep(blobs3.SweepOptions{Prefix: "other/", Now: later}))
	require.Zero(t, sweep(blobs3.SweepOptions{StaleAfter: 26 * time.Hour, Now: later}))
	require.Equal(t, 2, sweep(blobs3.SweepOptions{Prefix: prefix, Now: later}))
	require.Zero(t, s.unfinished(t))
	require.Equal(t, []string{prefix + childFile}, s.keys(t))
}

// A server that goes down in the middle makes the upload fail for the moment,
// and a later one arrives.
func TestCrashOfTheServer(t *testing.T) {
	t.Parallel()
	server, err := dbtest.StartS3()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	s := mustStore(t, server)
	s.put(t, "small.json", "old")
	s.put(t, "large.json", "old")

	small, large := s.start(t, "small.json", 1000), s.start(t, "large.json", 12<<20)
	require.NoError(t, server.Kill())
	_, err = io.Copy(large, io.LimitReader(pattern(), 30<<20))
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.ErrorIs(t, large.Commit(t.Context()), dsr.ErrUnavailable)
	err = small.Commit(t.Context())
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.EqualError(t, err, "blob: bucket archive: commit: connection refused; whether the file is in place is unknown")
	_, err = s.Open(t.Context(), "small.json")
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.ErrorIs(t, s.Remove(t.Context(), "small.json"), dsr.ErrUnavailable)

	require.NoError(t, server.Start())
	for _, name := range []string{"small.json", "large.json"} {
		require.Equal(t, "old", s.content(t, name))
		s.put(t, name, "new")
		require.Equal(t, "new", s.content(t, name))
	}
}
