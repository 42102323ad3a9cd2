package secret_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/secret"
)

func TestMasterKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "master.key")
	_, err := secret.ReadMasterKey(path)
	require.ErrorIs(t, err, fs.ErrNotExist, "reading never creates")
	_, err = os.Stat(path)
	require.ErrorIs(t, err, fs.ErrNotExist)

	first, created, err := secret.ReadOrCreateMasterKey(path)
	require.NoError(t, err)
	require.True(t, created)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())

	again, created, err := secret.ReadOrCreateMasterKey(path)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, first.ID(), again.ID())

	require.NoError(t, os.Chmod(path, 0o644))
	_, _, err = secret.ReadOrCreateMasterKey(path)
	require.ErrorContains(t, err, "chmod")
}

func TestMasterKeyFileIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		ids   = map[string]bool{}
		made  int
	)
	for range 8 {
		group.Go(func() {
			key, created, err := secret.ReadOrCreateMasterKey(path)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			ids[key.ID()] = true
			if created {
				made++
			}
		})
	}
	group.Wait()
	require.Len(t, ids, 1)
	require.Equal(t, 1, made)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file is left")
}

func TestBadMasterKeysAreNotQuoted(t *testing.T) {
	for _, bad := range []string{"", "hunter2hunter2", "not base64!", "aHVudGVyMg=="} {
		_, err := secret.ParseMasterKey(secret.NewText(bad))
		require.Error(t, err)
		if bad != "" {
			require.NotContains(t, err.Error(), bad)
		}
	}
	path := filepath.Join(t.TempDir(), "master.key")
	require.NoError(t, os.WriteFile(path, []byte("truncat"), 0o600))
	_, _, err := secret.ReadOrCreateMasterKey(path)
	require.ErrorContains(t, err, path, "a damaged file is an error, never replaced")
}
