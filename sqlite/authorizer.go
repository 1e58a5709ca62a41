package sqlite

import (
	"strings"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Action is what a statement that is being prepared would do.
//
// https://www.sqlite.org/c3ref/c_alter_table.html
type Action int

// The actions, with the engine's own numbers.
const (
	ActionCreateIndex       Action = lib.SQLITE_CREATE_INDEX
	ActionCreateTable       Action = lib.SQLITE_CREATE_TABLE
	ActionCreateTempIndex   Action = lib.SQLITE_CREATE_TEMP_INDEX
	ActionCreateTempTable   Action = lib.SQLITE_CREATE_TEMP_TABLE
	ActionCreateTempTrigger Action = lib.SQLITE_CREATE_TEMP_TRIGGER
	ActionCreateTempView    Action = lib.SQLITE_CREATE_TEMP_VIEW
	ActionCreateTrigger     Action = lib.SQLITE_CREATE_TRIGGER
	ActionCreateView        Action = lib.SQLITE_CREATE_VIEW
	ActionDelete            Action = lib.SQLITE_DELETE
	ActionDropIndex         Action = lib.SQLITE_DROP_INDEX
	ActionDropTable         Action = lib.SQLITE_DROP_TABLE
	ActionDropTempIndex     Action = lib.SQLITE_DROP_TEMP_INDEX
	ActionDropTempTable     Action = lib.SQLITE_DROP_TEMP_TABLE
	ActionDropTempTrigger   Action = lib.SQLITE_DROP_TEMP_TRIGGER
	ActionDropTempView      Action = lib.SQLITE_DROP_TEMP_VIEW
	ActionDropTrigger       Action = lib.SQLITE_DROP_TRIGGER
	ActionDropView          Action = lib.SQLITE_DROP_VIEW
	ActionInsert            Action = lib.SQLITE_INSERT
	ActionPragma            Action = lib.SQLITE_PRAGMA
	ActionRead              Action = lib.SQLITE_READ
	ActionSelect            Action = lib.SQLITE_SELECT
	ActionTransaction       Action = lib.SQLITE_TRANSACTION
	ActionUpdate            Action = lib.SQLITE_UPDATE
	ActionAttach            Action = lib.SQLITE_ATTACH
	ActionDetach            Action = lib.SQLITE_DETACH
	ActionAlterTable        Action = lib.SQLITE_ALTER_TABLE
	ActionReindex           Action = lib.SQLITE_REINDEX
	ActionAnalyze           Action = lib.SQLITE_ANALYZE
	ActionCreateVTable      Action = lib.SQLITE_CREATE_VTABLE
	ActionDropVTable        Action = lib.SQLITE_DROP_VTABLE
	ActionFunction          Action = lib.SQLITE_FUNCTION
	ActionSavepoint         Action = lib.SQLITE_SAVEPOINT
	ActionRecursive         Action = lib.SQLITE_RECURSIVE
)

// Auth is an authorizer's answer.
type Auth int32

// The answers: let it pass, refuse the statement, or read NULL instead of the
// column (and ignore the action otherwise).
const (
	AuthOK     Auth = lib.SQLITE_OK
	AuthDeny   Auth = lib.SQLITE_DENY
	AuthIgnore Auth = lib.SQLITE_IGNORE
)

// Authorizer decides on one action of a statement that is being prepared. The
// meaning of arg1 and arg2 depends on the action; trigger is the innermost
// trigger or view the action comes from, or empty.
//
// https://www.sqlite.org/c3ref/set_authorizer.html
type Authorizer func(action Action, arg1, arg2, database, trigger string) Auth

// SetAuthorizer makes fn decide on every statement prepared from now on; nil
// lets everything pass. While one is set the statement cache is neither used
// nor filled: what a statement may do, and what it reads, is then fn's answer.
func (c *Conn) SetAuthorizer(fn Authorizer) { c.authorizer = fn }

// DenyControl refuses, or allows again, statements of transaction control and
// ATTACH and DETACH. Begin, Commit, Rollback and Control go on working: they
// are how the owner of a connection keeps transactions to itself.
func (c *Conn) DenyControl(deny bool) { c.controlDenied = deny }

// harmlessPragmas take an argument and yet leave the connection as it was.
var harmlessPragmas = map[string]bool{
	"table_info": true, "table_xinfo": true, "table_list": true, "index_list": true,
	"index_info": true, "index_xinfo": true, "foreign_key_list": true, "foreign_key_check": true,
	"quick_check": true, "integrity_check": true, "wal_checkpoint": true, "optimize": true,
	"incremental_vacuum": true, "user_version": true, "application_id": true,
	"defer_foreign_keys": true, // ends with the transaction
}

// onAuthorize is always installed. It notes statements that leave a mark on
// the connection, which the pool must not hand to the next borrower, and then
// asks the authorizer that the user has set.
func onAuthorize(_ *libc.TLS, handle uintptr, action int32, arg1, arg2, database, trigger uintptr) int32 {
	c := connOf(handle)
	if c == nil {
		return lib.SQLITE_OK
	}
	a := Action(action)
	c.addEffect(a, arg1, arg2, database)
	switch a {
	case ActionPragma:
		if arg2 != 0 && !harmlessPragmas[strings.ToLower(libc.GoString(arg1))] {
			if c.queryOnlyKept && strings.EqualFold(libc.GoString(arg1), "query_only") {
				return lib.SQLITE_DENY
			}
			c.tainted = "PRAGMA " + libc.GoString(arg1)
			switch strings.ToLower(libc.GoString(arg1)) {
			case "journal_mode", "locking_mode":
				c.forgetWAL() // these take it away
			}
		}
	case ActionTransaction, ActionSavepoint, ActionAttach, ActionDetach:
		c.sawControl = true
		if c.controlDenied && !c.uninterruptible {
			return lib.SQLITE_DENY
		}
		if a == ActionAttach || a == ActionDetach {
			c.tainted = "ATTACH or DETACH"
		}
	case ActionCreateVTable, ActionDropVTable:
		if libc.GoString(database) == "temp" {
			c.tainted = "a temporary virtual table"
		}
	case ActionCreateTempTable, ActionCreateTempIndex, ActionCreateTempTrigger, ActionCreateTempView:
		c.tainted = "a temporary table, index, trigger or view"
	}
	if c.authorizer == nil {
		return lib.SQLITE_OK
	}
	returned := false
	defer c.exits(&returned)
	auth := int32(c.authorizer(a, libc.GoString(arg1), libc.GoString(arg2), libc.GoString(database), libc.GoString(trigger)))
	returned = true
	return auth
}
