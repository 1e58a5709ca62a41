package faultvfs

import (
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/internal/seam"
	"github.com/lidodb/lido/internal/vfs"
)

func fileControl(tls *libc.TLS, at uintptr, op int32, arg uintptr) int32 {
	f := fileAt(at)
	if op == seam.ParentFile {
		*(*uintptr)(vfs.Pointer(arg)) = f.parent
		return lib.SQLITE_OK
	}
	return vfs.Func[func(*libc.TLS, uintptr, int32, uintptr) int32](f.below.FxFileControl)(tls, f.parent, op, arg)
}

func fileSectorSize(tls *libc.TLS, at uintptr) int32 {
	f := fileAt(at)
	return vfs.Func[func(*libc.TLS, uintptr) int32](f.below.FxSectorSize)(tls, f.parent)
}

func fileDeviceCharacteristics(tls *libc.TLS, at uintptr) int32 {
	f := fileAt(at)
	return vfs.Func[func(*libc.TLS, uintptr) int32](f.below.FxDeviceCharacteristics)(tls, f.parent)
}

func fileShmMap(tls *libc.TLS, at uintptr, region, size, extend int32, out uintptr) int32 {
	f := fileAt(at)
	return f.do(Call{Op: ShmMap}, func() int32 {
		rc := vfs.Func[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](f.below.FxShmMap)(tls, f.parent, region, size, extend, out)
		if rc == lib.SQLITE_OK && region == 0 && f.disk != nil {
			f.disk.mu.Lock()
			f.shm = *(*uintptr)(vfs.Pointer(out))
			f.disk.mu.Unlock()
		}
		return rc
	})
}

func fileShmLock(tls *libc.TLS, at uintptr, offset, n, flags int32) int32 {
	f := fileAt(at)
	parent := func() int32 {
		return vfs.Func[func(*libc.TLS, uintptr, int32, int32, int32) int32](f.below.FxShmLock)(tls, f.parent, offset, n, flags)
	}
	if flags&lib.SQLITE_SHM_LOCK == 0 {
		return parent()
	}
	return f.do(Call{Op: ShmLock}, parent)
}

func fileShmBarrier(tls *libc.TLS, at uintptr) {
	f := fileAt(at)
	vfs.Func[func(*libc.TLS, uintptr)](f.below.FxShmBarrier)(tls, f.parent)
}

func fileShmUnmap(tls *libc.TLS, at uintptr, remove int32) int32 {
	f := fileAt(at)
	if f.disk != nil {
		f.disk.mu.Lock()
		f.shm = 0
		f.disk.mu.Unlock()
	}
	return vfs.Func[func(*libc.TLS, uintptr, int32) int32](f.below.FxShmUnmap)(tls, f.parent, remove)
}

// fileFetch offers mapped memory, unless reads are to be seen.
func fileFetch(tls *libc.TLS, at uintptr, offset int64, n int32, out uintptr) int32 {
	f := fileAt(at)
	if f.below.FiVersion < 3 || f.below.FxFetch == 0 || f.disk != nil && f.disk.unmapped.Load() {
		*(*uintptr)(vfs.Pointer(out)) = 0
		return lib.SQLITE_OK
	}
	return vfs.Func[func(*libc.TLS, uintptr, int64, int32, uintptr) int32](f.below.FxFetch)(tls, f.parent, offset, n, out)
}

func fileUnfetch(tls *libc.TLS, at uintptr, offset int64, page uintptr) int32 {
	f := fileAt(at)
	if f.below.FiVersion < 3 || f.below.FxUnfetch == 0 {
		return lib.SQLITE_OK
	}
	return vfs.Func[func(*libc.TLS, uintptr, int64, uintptr) int32](f.below.FxUnfetch)(tls, f.parent, offset, page)
}
