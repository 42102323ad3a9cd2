package main_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal: what is written to the first file is typed
// into the second.
func terminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = keyboard.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	return keyboard, tty
}

// ask runs "provider create" on a terminal, answers each question with a
// password, and returns the exit code and everything the terminal showed.
func ask(t *testing.T, passwords ...string) (int, string) {
	t.Helper()
	keyboard, tty := terminal(t)
	c := command(t, nil, "provider", "create", "--development", "--data-dir="+t.TempDir(), "--name=Northwind MSP", "--email="+email)
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	require.NoError(t, c.Start())
	require.NoError(t, tty.Close())
	var shown strings.Builder
	reader := bufio.NewReader(keyboard)
	for {
		b, err := reader.ReadByte()
		if err != nil { // EIO, when the program has ended
			break
		}
		shown.WriteByte(b)
		if len(passwords) > 0 && (strings.HasSuffix(shown.String(), "characters): ") || strings.HasSuffix(shown.String(), "same again: ")) {
			// The echo goes off just after the question: nobody types that fast.
			require.Eventually(t, func() bool { return !echoes(t, keyboard) }, 10*time.Second, time.Millisecond)
			_, err := keyboard.WriteString(passwords[0] + "\n")
			require.NoError(t, err)
			passwords = passwords[1:]
		}
	}
	_ = c.Wait() // the exit code says it
	return c.ProcessState.ExitCode(), shown.String()
}

// echoes reports whether a terminal shows what is typed.
func echoes(t *testing.T, keyboard *os.File) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(keyboard.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return settings.Lflag&unix.ECHO != 0
}

func TestPasswordIsAskedForTwice(t *testing.T) {
	code, shown := ask(t, "seven herons over the weir", "seven herons over the weir")
	require.Zero(t, code, shown)
	require.Contains(t, shown, "Northwind MSP")
	require.NotContains(t, shown, "herons", "it is not shown")

	code, shown = ask(t, "seven herons over the weir", "seven herons under the weir")
	require.Equal(t, 1, code)
	require.Contains(t, shown, "the two passwords differ: nothing was created")
}

// A key is shown once: one that could not be shown must not look like success.
func TestResultThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	c := command(t, nil, "provider", "create", "--development", "--data-dir="+t.TempDir(),
		"--name=Northwind MSP", "--email="+email, "--generate-password")
	c.Stdout = full
	require.Error(t, c.Run())
	require.Equal(t, 1, c.ProcessState.ExitCode())
}
