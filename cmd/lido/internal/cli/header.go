package cli

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// headerSize is how many bytes at the beginning of a database describe it.
//
// https://www.sqlite.org/fileformat.html#the_database_header
const headerSize = 100

// checkHeader reads the first bytes of the file, without the engine.
func checkHeader(path string) finding {
	f := finding{Check: "header", Status: statusOK}
	header, size, err := readHeader(path)
	if err != nil {
		f.Status, f.Found = statusFail, err.Error()
		f.Remedy = "mend what the message names"
		if errors.Is(err, fs.ErrPermission) {
			f.Remedy = "run doctor as a user who may read the file"
		}
		return f
	}
	if wal, err := os.Stat(path + "-wal"); size == 0 && err == nil && wal.Size() > 0 {
		// The first page is in the file before there is a WAL.
		f.Status, f.Found = statusFail, "truncated to 0 bytes: a -wal file with pages lies beside it"
		f.Remedy = "stop the program that uses it, keep a copy of the -wal file, and restore the last verified backup: lido restore"
		return f
	}
	if size == 0 {
		f.Found = "empty: a database without tables"
		return f
	}
	restore := "if this should be a database, restore the last verified backup: lido restore"
	if len(header) < headerSize || string(header[:16]) != "SQLite format 3\x00" {
		f.Status, f.Found, f.Remedy = statusFail, "not a SQLite database, or an encrypted one", restore
		return f
	}
	pageSize := int64(binary.BigEndian.Uint16(header[16:]))
	if pageSize == 1 {
		pageSize = 65536
	}
	if pageSize < 512 || pageSize&(pageSize-1) != 0 {
		f.Status, f.Found, f.Remedy = statusFail, fmt.Sprintf("a page size of %d, which SQLite does not have", pageSize), restore
		return f
	}
	pages := size / pageSize
	f.Found = fmt.Sprintf("SQLite 3 database, %s of %d bytes, last written by SQLite %s",
		plural(int(pages), "page"), pageSize, engineVersion(binary.BigEndian.Uint32(header[96:])))
	// The number of pages counts only where the last writer has kept it, and
	// the newest pages may still be in the WAL.
	said := int64(binary.BigEndian.Uint32(header[28:]))
	kept := binary.BigEndian.Uint32(header[24:]) == binary.BigEndian.Uint32(header[92:])
	if kept && said > pages && !fileExists(path+"-wal") {
		f.Status, f.Remedy = statusFail, restore
		f.Found = fmt.Sprintf("truncated: the header counts %s, the file holds %d", plural(int(said), "page"), pages)
	}
	return f
}

func readHeader(path string) (header []byte, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	header = make([]byte, headerSize)
	n, err := io.ReadFull(file, header)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, err
	}
	return header[:n], info.Size(), nil
}

// engineVersion writes 3054001 as 3.54.1.
func engineVersion(n uint32) string {
	return fmt.Sprintf("%d.%d.%d", n/1000000, n/1000%1000, n%1000)
}

// checkPermissions looks at who may write the file and its folder.
func checkPermissions(path string) finding {
	f := finding{Check: "permissions", Status: statusOK}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	folder := filepath.Dir(absolute(path))
	for _, name := range []string{path, folder} {
		info, err := os.Stat(name)
		if err != nil {
			return finding{"permissions", statusFail, err.Error(), "run doctor as a user who may look at the folder"}
		}
		sticky := info.Mode()&os.ModeSticky != 0
		if info.Mode().Perm()&0o002 != 0 && !sticky && hasModes {
			f.Status = statusWarn
			f.Found = fmt.Sprintf("%s may be written by everybody (%s)", name, info.Mode())
			f.Remedy = "chmod o-w " + name
			return f
		}
	}
	if found, remedy := checkOwners(path, folder); found != "" {
		return finding{"permissions", statusWarn, found, remedy}
	}
	info, err := os.Stat(path)
	if err != nil {
		return finding{"permissions", statusFail, err.Error(), ""}
	}
	f.Found = fmt.Sprintf("file %s, folder writable", info.Mode())
	return f
}
