// Package process starts servers as processes of their own and reads what
// processor time they, and PostgreSQL's, have used.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc: USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// stat is what /proc tells of a process.
type stat struct {
	parent   int
	own      time.Duration // in user and kernel mode
	children time.Duration // likewise, of children that have ended
}

func read(pid int) (stat, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	// The name in parentheses may hold anything, spaces and parentheses included.
	end := bytes.LastIndexByte(raw, ')')
	if end < 0 {
		return stat{}, fmt.Errorf("/proc/%d/stat has no name", pid)
	}
	fields := bytes.Fields(raw[end+1:])
	if len(fields) < 15 {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var numbers [15]int
	for i := 1; i < len(numbers); i++ {
		if numbers[i], err = strconv.Atoi(string(fields[i])); err != nil {
			return stat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return stat{
		parent:   numbers[1],
		own:      time.Duration(numbers[11]+numbers[12]) * tick,
		children: time.Duration(numbers[13]+numbers[14]) * tick,
	}, nil
}

// CPU is the processor time that a process has used, to within 10 ms. Linux only.
func CPU(pid int) (time.Duration, error) {
	s, err := read(pid)
	return s.own, err
}

// onCPU is the processor time of a process of one thread, to the nanosecond
// where the kernel tells.
func onCPU(pid int, s stat) time.Duration {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/schedstat")
	if err != nil {
		return s.own
	}
	first, _, _ := bytes.Cut(raw, []byte{' '})
	nanoseconds, err := strconv.ParseInt(string(first), 10, 64)
	if err != nil || nanoseconds == 0 {
		return s.own
	}
	return time.Duration(nanoseconds)
}

// TreeCPU is the processor time that a process of one thread has used with all
// its children, which have one each, those that have ended included.
func TreeCPU(pid int) (time.Duration, error) {
	root, err := read(pid)
	if err != nil {
		return 0, err
	}
	sum := onCPU(pid, root) + root.children
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, dir := range dirs {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		s, err := read(child)
		switch {
		case errors.Is(err, fs.ErrNotExist) || os.IsNotExist(err):
			continue // ended meanwhile
		case err != nil:
			continue // likewise, while it was read
		case s.parent == pid:
			sum += onCPU(child, s) + s.children
		}
	}
	return sum, nil
}

// Parent is the process that started another.
func Parent(pid int) (int, error) {
	s, err := read(pid)
	return s.parent, err
}
