package cli

import (
	"regexp"
	"strings"
)

// flagWords are what an error or a remedy of Lido's packages says to a program,
// and what it is to say to a user of the command line, who has flags in place
// of options and no program to restart.
var flagWords = [][2]string{
	{"and WithUnsafeNoTransaction allows it all the same", "and --unsafe-no-transaction allows it all the same"},
	{"cannot be recorded; set Config.Name", "cannot be recorded; give another with --name"},
	{"backup: Config.Name is", "--name is"},
	{"move it away or set Overwrite", "move it away, or give --overwrite"},
	{"choose another path or set Overwrite", "give another --to, or --overwrite to replace it"},
	{"RestoreOptions.ScratchDir needs InPlace", "--scratch needs --in-place"},
	{"so RestoreOptions.WithoutPageChecksums can still restore it", `so "lido restore --without-page-checksums" can still restore it`},
	{"set VerifyOptions.ScratchDir", "give another with --scratch"},
	{", or set PRAGMA temp_store=MEMORY in Config.OnConnect to use memory in place of files", ""},
	{" for the lock (Config.LockTimeout)", " for the lock"},
	{" (Limits.Timeout)", ""},
	{"name the right one with fs.Sub", "name the right one with --dir"},
	{"use a local disk, or set Config.AllowNetworkFilesystem if only this machine ever opens the file", "copy the file to a local disk"},
	{"for the bound (pool.Config.WALMaxBytes) is", "for the bound is"},
	{"has reached Config.WALMaxBytes,", "has reached its bound,"},
	{"one that has opened it with Config.Exclusive", "one that has it open exclusively"},
	{"give the check a longer Timeout in health.Config.Schedules", "run doctor again when the database has less to do"},
	{"raise pool.Config.MaxReaders, or make Read closures shorter and read iterators to their end", "run doctor again when the database has less to do"},
	{"if the error stays, restart the program and keep its log", "if the error stays, keep what doctor prints"},
}

var flagReplacer = func() *strings.Replacer {
	var list []string
	for _, pair := range flagWords {
		list = append(list, pair[0], pair[1])
	}
	return strings.NewReplacer(list...)
}()

// besideFlag is an option that a text names together with its flag, as in
// "(Config.Name, --name)".
var besideFlag = regexp.MustCompile(`\b[A-Z]\w*\.[A-Z]\w*, (--[a-z-]+)`)

// commandWords puts the words of the command line into an error or a remedy.
func commandWords(text string) string {
	return besideFlag.ReplaceAllString(flagReplacer.Replace(text), "$1")
}
