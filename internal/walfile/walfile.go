// Package walfile reads a WAL file without the engine.
//
// Recovery ends at the first frame whose checksum is wrong, and what was
// committed after it is gone without a word. That is the rule by which a
// transaction that was cut off is left out, and it also leaves out all that was
// acknowledged after one flipped bit. Each checksum continues that of the frame
// before it, which is stored there: so the frames after a damaged one can still
// be told from leftovers of an earlier use of the file.
//
// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
package walfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

const (
	headerBytes      = 32
	frameHeaderBytes = 24
	// maxBytes is how much of a file is looked at.
	maxBytes = 256 << 20
)

// Damage is what recovery leaves out of a WAL behind a damaged place.
type Damage struct {
	Offset  int64 // of the damaged frame, or 0 for the header of the file
	Frames  int   // sound ones after it
	Commits int   // that these frames end
}

// Examine looks for damage in the WAL at path. It returns nil where there is
// none that can be told from a transaction that was cut off, or no file.
//
// It opens and closes the file, so it is for a process that has not opened the
// database. Another process may be writing.
func Examine(path string) (*Damage, error) {
	var found *Damage
	// A frame that was just being written is sound the next time.
	for try := range 3 {
		d, err := examineOnce(path)
		if err != nil || d == nil || d.Commits == 0 {
			return nil, err
		}
		if try > 0 && d.Offset != found.Offset {
			return nil, nil
		}
		found = d
	}
	return found, nil
}

func examineOnce(path string) (*Damage, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(io.LimitReader(f, maxBytes), 1<<18)
	var header [headerBytes]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return nil, ignoreEnd(err)
	}
	return scan(in, header)
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// scan goes through the frames.
func scan(in *bufio.Reader, header [headerBytes]byte) (d *Damage, err error) {
	order, pageBytes, before, whole := layout(in, header)
	if pageBytes == 0 {
		return nil, nil
	}
	if !whole {
		d = new(Damage)
	}
	salt := bytes.Clone(header[16:24])
	frame := make([]byte, frameHeaderBytes+pageBytes)
	for at := int64(headerBytes); ; at += int64(len(frame)) {
		if _, err := io.ReadFull(in, frame); err != nil {
			return d, ignoreEnd(err)
		}
		if at == headerBytes && !whole { // the damage may be in the salt
			copy(salt, frame[8:16])
		}
		stored, isSound := before.check(order, frame, salt)
		before = stored
		switch {
		case isSound && d == nil:
		case isSound:
			d.Frames++
			if binary.BigEndian.Uint32(frame[4:]) != 0 {
				d.Commits++
			}
		case d == nil:
			d = &Damage{Offset: at}
		}
	}
}

// layout reads the header, or where that is damaged finds out what it said: the
// byte order of the checksums, the size of a page and the header's checksum with
// which the first frame is sound. whole reports that the header is not damaged.
func layout(in *bufio.Reader, header [headerBytes]byte) (order binary.ByteOrder, pageBytes int, before sum, whole bool) {
	magic, size := binary.BigEndian.Uint32(header[:]), binary.BigEndian.Uint32(header[8:])
	orders := map[uint32]binary.ByteOrder{0x377f0682: binary.LittleEndian, 0x377f0683: binary.BigEndian}
	stored := sum{binary.BigEndian.Uint32(header[24:]), binary.BigEndian.Uint32(header[28:])}
	if order = orders[magic]; order != nil && (sum{}).add(order, header[:24]) == stored && size >= 512 && size <= 65536 && size&(size-1) == 0 {
		return order, int(size), stored, true
	}
	for _, order := range orders {
		for size := 512; size <= 65536; size *= 2 {
			frame, err := in.Peek(frameHeaderBytes + size)
			if err != nil {
				break
			}
			for _, before := range []sum{stored, sum{}.add(order, header[:24])} {
				if _, ok := before.check(order, frame, frame[8:16]); ok {
					return order, size, before, false
				}
			}
		}
	}
	return nil, 0, sum{}, false
}

// sum is a checksum.
type sum [2]uint32

// add continues s over b, whose length is a multiple of 8.
func (s sum) add(order binary.ByteOrder, b []byte) sum {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}

// check reports whether frame, which follows one whose checksum is s, is sound
// and has the salt. It returns the checksum that the frame stores.
func (s sum) check(order binary.ByteOrder, frame, salt []byte) (stored sum, sound bool) {
	stored = sum{binary.BigEndian.Uint32(frame[16:]), binary.BigEndian.Uint32(frame[20:])}
	sound = bytes.Equal(frame[8:16], salt) && binary.BigEndian.Uint32(frame) != 0 &&
		s.add(order, frame[:8]).add(order, frame[frameHeaderBytes:]) == stored
	return stored, sound
}
