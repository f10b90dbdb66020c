"""A new Superset on loopback, run by the Python that has it: prints its port, and serves until its stdin is closed."""

import os
import sys
from pathlib import Path
from threading import Thread

HOME = Path(sys.argv[1])
USER, PASSWORD = sys.argv[2:]
CONFIG = """
SECRET_KEY = "nobody else reaches this one"
SQLALCHEMY_DATABASE_URI = "sqlite:///{home}/superset.db"
TALISMAN_ENABLED = False
"""


def main() -> None:
    (HOME / "superset_config.py").write_text(CONFIG.format(home=HOME))
    os.environ |= {"SUPERSET_CONFIG_PATH": str(HOME / "superset_config.py"), "SUPERSET_HOME": str(HOME)}
    from flask_migrate import upgrade
    from superset.app import create_app
    from werkzeug.serving import make_server

    app = create_app()
    with app.app_context():
        from superset import appbuilder, security_manager

        upgrade(str(Path(sys.modules["superset"].__file__ or "").parent / "migrations"))
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        admin = security_manager.find_role("Admin")
        security_manager.add_user(USER, "A", "B", f"{USER}@example.com", admin, PASSWORD)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"port {server.port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
