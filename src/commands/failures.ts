/** Failures of the system in one sentence each, for those who have to do something about them. */

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
  const { code = '', path } = error
  const reason = reasons.get(code)
  return `${reason === undefined ? code : `${reason} (${code})`}${path === undefined ? '' : `: ${path}`}`
}
