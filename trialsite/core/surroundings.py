"""What could undo the guards from beside them: roles, settings, rules, stray objects.

Row-level security and triggers hold only while nobody stands above, around or beneath
them. Each query answers with words for what should not be there.
"""

from __future__ import annotations

from django.db import connections

#: Settings of a whole database that would change what the guards or a commit mean.
_DATABASE_WIDE = (
    "name LIKE 'trialsite.%%' OR name IN ('search_path', 'session_replication_role', "
    "'synchronous_commit', 'row_security')"
)

#: The schemas whose tables are guarded.
_HERE = "c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'vault'))"

_QUERIES = (
    # A role that may act for everybody needs no gap in the guards.
    """
    SELECT format('role %s has privileges of an administrator', rolname) FROM pg_roles
    WHERE rolname IN ('trialsite_app', 'trialsite_public', 'trialsite_backup')
      AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
           OR (rolbypassrls AND rolname <> 'trialsite_backup'))
    """,
    "SELECT format('role %s can sign in or stands above the guards', rolname) FROM pg_roles "
    "WHERE rolname IN ('trialsite_audit', 'trialsite_vault') "
    "AND (rolcanlogin OR rolsuper OR rolbypassrls)",
    """
    SELECT format('role %s is a member of %s', member::regrole, roleid::regrole)
    FROM pg_auth_members JOIN pg_roles r ON r.oid = member JOIN pg_roles g ON g.oid = roleid
    WHERE r.rolname IN ('trialsite_app', 'trialsite_public', 'trialsite_backup',
                        'trialsite_audit', 'trialsite_vault')
      OR (g.rolname IN ('trialsite_audit', 'trialsite_vault')
          AND r.rolname <> 'trialsite_owner')
    """,
    # Every role may change its own defaults, so one injected statement could set, for
    # all later connections, a context or a search path; that cannot be refused, only seen.
    f"""
    SELECT format('role %s starts with %s', setrole::regrole, setting)
    FROM pg_db_role_setting, unnest(setconfig) setting
    WHERE setrole IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'trialsite\\_%%')
    UNION ALL
    SELECT format('the database starts sessions with %s', setting)
    FROM pg_db_role_setting s, unnest(setconfig) setting, split_part(setting, '=', 1) name
    WHERE setrole = 0 AND ({_DATABASE_WIDE})
      AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    """,
    # A temporary table would shadow a guarded one for whoever uses the connection next.
    """
    SELECT format('%s has %s on the database', role, privilege)
    FROM unnest(ARRAY['trialsite_app', 'trialsite_public']) role,
         unnest(ARRAY['TEMPORARY', 'CREATE']) privilege
    WHERE has_database_privilege(role, current_database(), privilege)
    """,
    """
    SELECT format('%s has %s on schema %s', coalesce(g.rolname, 'PUBLIC'), a.privilege_type,
                  n.nspname)
    FROM pg_namespace n, aclexplode(n.nspacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
    WHERE n.nspname IN ('public', 'trialsite') AND a.privilege_type = 'CREATE'
      AND a.grantee <> n.nspowner
      AND coalesce(g.rolname, '') NOT IN ('trialsite_owner', 'trialsite_audit')
      AND NOT (g.rolname IS NOT DISTINCT FROM 'trialsite_vault' AND n.nspname = 'trialsite')
    """,
    """
    SELECT format('%s has %s on sequence %s', coalesce(g.rolname, 'PUBLIC'), a.privilege_type,
                  c.relname)
    FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S' AND a.grantee <> c.relowner
      AND NOT (g.rolname IS NOT DISTINCT FROM 'trialsite_app'
               AND pg_get_userbyid(c.relowner) <> 'trialsite_audit'
               AND a.privilege_type IN ('USAGE', 'SELECT'))
      AND NOT (g.rolname IS NOT DISTINCT FROM 'trialsite_backup' AND a.privilege_type = 'SELECT')
    """,
    # A column's privilege stands beside its table's; a rule rewrites what a statement does.
    f"""
    SELECT format('privileges on column %s of %s', a.attname, c.relname)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE {_HERE} AND a.attacl IS NOT NULL
    """,
    f"""
    SELECT format('rule %s on %s', r.rulename, c.relname)
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    WHERE {_HERE}
    """,
    f"""
    SELECT format('%s is a relation of kind %s', relname, relkind) FROM pg_class c
    WHERE {_HERE} AND relkind IN ('v', 'm', 'f', 'p')
    """,
    f"""
    SELECT format('table %s is not kept through a crash', relname) FROM pg_class c
    WHERE {_HERE} AND relkind = 'r' AND relpersistence <> 'p'
    """,
    f"""
    SELECT format('table %s inherits or is inherited', c.relname)
    FROM pg_inherits i JOIN pg_class c ON c.oid IN (i.inhrelid, i.inhparent)
    WHERE {_HERE} AND c.relkind = 'r'
    """,
    """
    SELECT format('function %s in schema %s', p.proname, n.nspname)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('public', 'vault') AND NOT EXISTS (
      SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    """,
    """
    SELECT format('default privileges for objects of %s', defaclrole::regrole)
    FROM pg_default_acl
    WHERE pg_get_userbyid(defaclrole) IN ('trialsite_owner', 'trialsite_audit',
                                          'trialsite_vault')
    """,
)


def threats(using: str = "default") -> list[str]:
    """Whatever stands beside the guards and should not, in words."""
    with connections[using].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"({query})" for query in _QUERIES).replace("%%", "%"))
        return [row[0] for row in cursor.fetchall()]
