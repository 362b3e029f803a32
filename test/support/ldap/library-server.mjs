// LDAP server for machines without slapd: `node library-server.mjs <port> <directory.json>`.
//
// ldapjs is archived since 2024, and nothing has taken its place: the maintained LDAP packages on npm (ldapts and what is
// built on it) are clients only. It is MIT, pure JavaScript, runs on every Node version supported here, and serves only
// tests, on loopback, beside slapd, which is what CI uses.
import { readFileSync } from 'node:fs';
import ldap from 'ldapjs';

const [port, file] = process.argv.slice(2);
const { baseDn, bindDn, entries } = JSON.parse(readFileSync(file, 'utf8'));
const parsed = entries.map(({ dn, attributes: { userPassword, ...attributes } }) => ({
  name: ldap.parseDN(dn),
  dn,
  attributes,
  passwords: userPassword ?? [],
}));
const reader = ldap.parseDN(bindDn);

const server = ldap.createServer();

server.bind(baseDn, (request, response, next) => {
  const entry = parsed.find(({ name }) => name.equals(request.dn));
  // An empty password is no password: LDAP would take it for an anonymous login.
  if (request.credentials === '' || !entry?.passwords.includes(request.credentials)) {
    return next(new ldap.InvalidCredentialsError());
  }
  response.end();
  return next();
});

server.search(baseDn, (request, response, next) => {
  if (!reader.equals(request.connection.ldap.bindDN)) return next(new ldap.NoSuchObjectError());
  const base = request.dn;
  const inScope = {
    base: (name) => name.equals(base),
    single: (name) => base.parentOf(name) && name.length === base.length + 1,
    subtree: (name) => name.equals(base) || base.parentOf(name),
  }[request.scopeName];
  for (const { name, dn, attributes } of parsed) {
    if (inScope(name) && request.filter.matches(attributes, false)) response.send({ dn, attributes });
  }
  response.end();
  return next();
});

server.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
server.listen(Number(port), '127.0.0.1', () => console.error('library server starting'));
