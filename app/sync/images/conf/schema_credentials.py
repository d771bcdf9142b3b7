"""The options that say who we are in a target (spec images 2.4, 2.5, 14.10)."""

from __future__ import annotations

from app.sync.images.conf.option import Kind, Option, Record, group

AUTH_TYPES = ("password", "v3applicationcredential", "v3token", "trust")
SECRETS = ("password", "application_credential_secret", "token")

CREDENTIAL_OPTIONS = group(
    "Who we are",
    Option(
        "credential",
        Kind.LITERAL,
        Record.NONE,
        "user,base64(password),Keystone URL,project name. The next four options together beat it.",
        remark="Read for compatibility: base64 hides nothing. Prefer password_file or cloud.",
    ),
    Option("user", Kind.TEXT, Record.CREDENTIAL, "User name.", field="username", env=("OS_USERNAME",)),
    Option(
        "password",
        Kind.LITERAL,
        Record.CREDENTIAL,
        "Password in clear, taken literally: a percent sign needs no doubling.",
        env=("OS_PASSWORD",),
    ),
    Option(
        "keystone_url",
        Kind.URL,
        Record.CREDENTIAL,
        "Keystone, with or without a version at the end; /v2.0 is read as /v3.",
        field="auth_url",
        env=("OS_AUTH_URL",),
    ),
    Option(
        "tenant",
        Kind.TEXT,
        Record.CREDENTIAL,
        "Project name.",
        field="project_name",
        env=("OS_PROJECT_NAME", "OS_TENANT_NAME"),
    ),
    Option(
        "cloud",
        Kind.TEXT,
        Record.NONE,
        "Name of an entry of clouds.yaml (with secure.yaml beside it). Options given here refine it.",
        env=("OS_CLOUD",),
    ),
    Option(
        "auth_type",
        Kind.CHOICE,
        Record.CREDENTIAL,
        "How to authenticate; found out from the options that are set if absent.",
        choices=AUTH_TYPES,
        env=("OS_AUTH_TYPE",),
    ),
    Option(
        "user_id",
        Kind.TEXT,
        Record.CREDENTIAL,
        "User id, in place of user and its domain.",
        env=("OS_USER_ID",),
    ),
    Option(
        "user_domain_name",
        Kind.TEXT,
        Record.CREDENTIAL,
        "Domain of the user; if no domain is named, it is the one with id default.",
        env=("OS_USER_DOMAIN_NAME",),
    ),
    Option(
        "user_domain_id", Kind.TEXT, Record.CREDENTIAL, "Domain id of the user.", env=("OS_USER_DOMAIN_ID",)
    ),
    Option(
        "project_id",
        Kind.TEXT,
        Record.CREDENTIAL,
        "Project id, in place of tenant and its domain.",
        env=("OS_PROJECT_ID", "OS_TENANT_ID"),
    ),
    Option(
        "project_domain_name",
        Kind.TEXT,
        Record.CREDENTIAL,
        "Domain of the project; if no domain is named, it is the one with id default.",
        env=("OS_PROJECT_DOMAIN_NAME",),
    ),
    Option(
        "project_domain_id",
        Kind.TEXT,
        Record.CREDENTIAL,
        "Domain id of the project.",
        env=("OS_PROJECT_DOMAIN_ID",),
    ),
    Option(
        "trust_id",
        Kind.TEXT,
        Record.CREDENTIAL,
        "Trust to act under; it stands in place of a project.",
        env=("OS_TRUST_ID",),
    ),
    Option(
        "application_credential_id",
        Kind.TEXT,
        Record.CREDENTIAL,
        "Application credential; it implies the project.",
        env=("OS_APPLICATION_CREDENTIAL_ID",),
    ),
    Option(
        "application_credential_name",
        Kind.TEXT,
        Record.CREDENTIAL,
        "Application credential by name; user (or user_id) must say whose.",
        env=("OS_APPLICATION_CREDENTIAL_NAME",),
    ),
    Option(
        "application_credential_secret",
        Kind.LITERAL,
        Record.CREDENTIAL,
        "Secret of the application credential.",
        env=("OS_APPLICATION_CREDENTIAL_SECRET",),
    ),
    Option(
        "token",
        Kind.LITERAL,
        Record.CREDENTIAL,
        "A Keystone token; it cannot be renewed, so it suits short runs only.",
        env=("OS_TOKEN",),
    ),
    *(
        Option(f"{secret}_{suffix}", kind, Record.NONE, f"{text} {secret}.")
        for secret in SECRETS
        for suffix, kind, text in (
            ("file", Kind.PATH, "File whose first line is the"),
            ("env", Kind.TEXT, "Environment variable that holds the"),
        )
    ),
    Option(
        "tenant_id",
        Kind.TEXT,
        Record.TARGET,
        "Project id that owns our images in a directory or backup cloud; absent, tenant followed by id.",
    ),
    Option(
        "use_keystone_v3",
        Kind.BOOLEAN,
        Record.NONE,
        "Without effect: the identity API is always version 3.",
        default="no",
        remark="Deprecated; remove it.",
    ),
)
