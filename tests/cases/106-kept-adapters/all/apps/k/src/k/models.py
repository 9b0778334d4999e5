from pydantic import create_model

Item = create_model("Item", __module__=__name__, n=(int, 0), **{"@VSN@": (str, "")})
