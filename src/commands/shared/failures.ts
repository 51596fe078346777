/** Failures of the system in one sentence each, for those who have to do something about them. */

import { StateInUse, StateUnusable } from '../../cluster/embedded/storage.ts'
import { UsageError } from './options.ts'
import { writeProblem } from './printable.ts'

const reasons: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk quota is used up'],
  ['ENOENT', 'there is no such file or folder'],
  ['ENOTDIR', 'a file is where a folder should be'],
  ['EISDIR', 'a folder is where a file should be'],
  ['EEXIST', 'something else is in the way'],
  ['ELOOP', 'symbolic links lead in a circle'],
])

/** An error of the operating system, not of this program. */
export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && typeof (error as NodeJS.ErrnoException).code === 'string'

/** `permission denied (EACCES)` */
export const systemErrorText = (error: unknown): string => {
  if (!isSystemError(error)) return error instanceof Error ? error.message : String(error)
  const { code = '' } = error
  const reason = reasons.get(code)
  return reason === undefined ? code : `${reason} (${code})`
}

/** The message says what keeps a command from its work. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
}

/**
 * Tells what ended a command in one sentence and returns its exit code: 2 for wrong usage, 1 for what a person can
 * mend. Anything else is a mistake of this program, and its stack is wanted. @throws what is none of these
 */
export const exitCodeOf = (error: unknown, verb: string, stderr: NodeJS.WriteStream): number => {
  const meant = [CommandError, StateInUse, StateUnusable, UsageError].some((kind) => error instanceof kind)
  if (!meant && !isSystemError(error)) throw error
  const path = isSystemError(error) && error.path !== undefined ? `${error.path}: ` : ''
  writeProblem({ stderr }, `dbtls ${verb}: ${path}${systemErrorText(error)}`)
  return error instanceof UsageError ? 2 : 1
}
