"""What laboratories call tests, columns and units, as data: one line per test.

Tests are named by their CDISC code (LBTESTCD), so the table serves any study; a test that
has none is named by the protocol's key. Add a synonym here and nowhere else. Spaces, case,
hyphens, dots and full-width forms need no synonym of their own.
"""

from __future__ import annotations

TESTS: dict[str, tuple[str, ...]] = {
    "BILI": ("TBIL", "T-BIL", "BIL-T", "TBI", "STB", "Bilirubin total", "Bilirubin, total"),
    "BILDIR": ("DBIL", "D-BIL", "BIL-D", "DBI", "Conjugated bilirubin", "结合胆红素"),
    "ALT": ("GPT", "SGPT", "Alanine aminotransferase", "谷丙转氨酶", "丙氨酸转氨酶"),
    "AST": ("GOT", "SGOT", "Aspartate aminotransferase", "谷草转氨酶", "天门冬氨酸氨基转移酶"),
    "ALP": ("AKP", "Alk phos", "碱性磷酸酯酶"),
    "GGT": ("γ-GT", "Gamma-GT", "r-GT", "GGTP", "谷氨酰转肽酶", "γ-谷氨酰转肽酶", "谷氨酰转移酶"),
    "ALB": ("Albumin, serum", "清蛋白"),
    "PT": ("PT(s)", "PT-s", "Prothrombin time", "凝血酶原时间测定", "PT秒"),
    "PTA": (
        *("PT%", "PT(%)", "PT%(活动度)", "PT-A", "PTact", "Prothrombin time activity", "PT活动度"),
        *("凝血酶原时间活动度", "凝血酶原百分活动度", "凝血酶原时间百分活动度"),
    ),
    "INR": (
        *("PT-INR", "INR(PT)", "International normalised ratio", "International normalized ratio"),
        *("国际标准化比率", "国际标准比值", "凝血酶原国际标准化比值", "凝血酶原时间国际标准化比值"),
    ),
    "APTT": ("PTT", "部分活化凝血活酶时间", "活化的部分凝血活酶时间", "部分凝血活酶时间"),
    "FIBRINO": ("FIB", "FBG", "Fg", "Fib-C", "血浆纤维蛋白原"),
    "DDIMER": ("D-Dimer", "D-D", "D-二聚体", "D二聚体", "D-D二聚体"),
    "CREAT": ("Cr", "CREA", "SCr", "Crea", "血肌酐", "肌酐(酶法)"),
    "UREA": ("BUN", "Ur", "Blood urea nitrogen", "Urea nitrogen", "尿素氮", "血尿素", "血尿素氮"),
    "SODIUM": ("Na", "Na+", "血钠", "钠离子"),
    "K": ("K+", "Potassium", "血钾", "钾离子"),
    "CAION": ("iCa", "iCa2+", "Ionized calcium", "游离钙", "钙离子(游离)", "离子化钙"),
    "GLUC": ("GLU", "FBG(GLU)", "血糖", "空腹血糖"),
    "LACTICAC": ("Lac", "Lactic acid", "cLac", "血乳酸"),
    "AMMONIA": ("NH3", "AMM", "AMON", "Blood ammonia", "氨"),
    "AFP": ("α-FP", "Alpha fetoprotein", "甲种胎儿球蛋白", "甲胎蛋白定量"),
    "FERRITIN": ("FER", "SF", "Ferr", "血清铁蛋白"),
    "INTLK6": ("IL6", "Interleukin-6", "Interleukin 6", "白细胞介素-6", "白细胞介素6", "白介素6"),
    "TNF": ("TNF-α", "TNFa", "Tumour necrosis factor α", "肿瘤坏死因子-α", "肿瘤坏死因子α"),
    "INTLK10": ("IL10", "Interleukin-10", "白细胞介素-10", "白细胞介素10", "白介素10"),
    "CRP": ("hs-CRP", "hsCRP", "C-反应蛋白", "超敏C反应蛋白", "超敏C-反应蛋白", "全程C反应蛋白"),
    "PCT": ("PROCT", "降钙素原检测", "血清降钙素原"),
    "WBC": ("Leukocytes", "Leucocytes", "White cell count", "白细胞计数", "白细胞总数", "白细胞数"),
    "NEUT": ("NEUT#", "NEU#", "Neu", "ANC", "中性粒细胞绝对值", "中性粒细胞计数", "中性粒细胞数"),
    "LYM": ("LYM#", "LYMPH#", "LY#", "Lymph", "淋巴细胞绝对值", "淋巴细胞计数", "淋巴细胞数"),
    "HGB": ("Hb", "Hemoglobin", "血红蛋白浓度", "血红蛋白测定", "血色素"),
    "PLAT": ("PLT", "Platelet count", "Thrombocytes", "血小板计数", "血小板总数", "血小板数"),
    "PH": ("pH值", "血液pH", "酸碱度"),
    "BICARB": ("HCO3", "HCO3-", "cHCO3", "HCO3act", "实际碳酸氢根", "碳酸氢盐"),
    "PCO2": ("PaCO2", "动脉血二氧化碳分压"),
    "PO2": ("PaO2", "动脉血氧分压"),
    "BASEEXCS": ("BE", "BE(B)", "ABE", "剩余碱", "实际碱剩余"),
    "LDH": ("LD", "Lactic dehydrogenase"),
    "HGBFR": ("fHb", "Free Hb", "Free hemoglobin", "血浆游离血红蛋白"),
    "HAPTOG": ("Hp", "HPT", "触珠蛋白"),
    "HBVDNA": ("HBV-DNA", "HBV-DNA定量", "乙肝病毒DNA定量", "乙肝DNA", "乙型肝炎病毒DNA"),
    "HGF": ("肝细胞生长因子测定",),
    "FACTVA": ("Factor V", "FV", "FV:C", "凝血因子V", "V因子活性"),
}

#: What may stand around or in brackets behind a name without changing the test.
QUALIFIERS = (
    *("血清", "血浆", "静脉血", "动脉血", "全血", "血", "serum", "plasma", "blood", "arterial"),
    *("酶法", "速率法", "重氮法", "钒酸盐法", "溴甲酚绿法", "苦味酸法", "免疫比浊法", "比浊法"),
    *("化学发光法", "电化学发光法", "离子选择电极法", "clauss法", "ifcc", "enzymatic", "jaffe"),
)
AFFIXES = ("血清", "血浆", "serum", "plasma", "测定", "检测")

#: A specimen other than blood; such a line is never taken.
OTHER_SPECIMENS = (
    *("尿液", "尿常规", "随机尿", "晨尿", "24h尿", "24小时尿", "(尿)", "尿肌酐", "urin"),
    *("腹水", "ascit", "胸水", "胸腔积液", "pleural", "脑脊液", "csf", "粪便", "stool"),
)
OTHER_SPECIMEN_CELLS = frozenset({"尿", "粪"})

#: Words of a header row, by what their column holds.
HEADERS: dict[str, tuple[str, ...]] = {
    "test": (
        *("test", "test name", "item", "item name", "analyte", "parameter", "name", "code"),
        *(
            "test code",
            "loinc",
            "assay",
            "abbreviation",
            "项目",
            "项目名称",
            "检验项目",
            "检测项目",
        ),
        *(
            "名称",
            "代码",
            "项目代码",
            "英文名称",
            "英文缩写",
            "缩写",
            "简称",
            "中文名称",
            "检查项目",
        ),
    ),
    "result": (
        *("result", "results", "value", "test result", "结果", "检验结果", "测定结果", "检测结果"),
        *("测定值", "结果值", "检测值", "本次结果"),
    ),
    "unit": ("unit", "units", "uom", "单位", "结果单位"),
    "range": (
        *("reference", "reference range", "reference interval", "ref", "ref range", "ref. range"),
        *("normal range", "range", "参考范围", "参考值", "参考区间", "正常值", "正常范围"),
        *("正常参考值", "生物参考区间", "参考值范围"),
    ),
    "flag": (
        "flag",
        "flags",
        "abnormal",
        "提示",
        "标志",
        "异常",
        "异常提示",
        "状态",
        "高低",
        "箭头",
    ),
}

#: Spellings of units that are not merely another case or typography of the UCUM unit.
UNITS: dict[str, tuple[str, ...]] = {
    "s": ("sec", "secs", "second", "seconds", "秒"),
    "U/L": ("IU/L", "单位/升"),
    "{INR}": ("ratio", "比值", "-", "/"),
    "[pH]": ("-", "/"),
    "10*9/L": ("G/l(10^9)", "10E9/L", "10^9个/L", "E9/L", "10~9/L"),
    "10*3/uL": ("K/uL", "10E3/uL", "10^3/mm3", "10^3个/uL", "thou/uL"),
    "/uL": ("cells/uL", "个/uL", "/mm3"),
    "mg/dL": ("mg/100ml", "mg%"),
    "g/dL": ("g/100ml", "g%", "gm/dL"),
    "mm[Hg]": ("mmHg", "毫米汞柱"),
    "%": ("percent", "％", "百分比"),
    "umol/L": ("微摩尔/升", "mcmol/L"),
    "mmol/L": ("毫摩尔/升", "mM"),
    "g/L": ("克/升",),
    "ug/L": ("mcg/L",),
    "[IU]/mL": ("IU/ml",),
}
#: Units without a sign of their own: an empty cell means them.
UNWRITTEN = ("{INR}", "[pH]")
#: Names that say which annotated unit a bare one is.
ANNOTATIONS: dict[str, str] = {
    **dict.fromkeys(("BUN", "尿素氮", "血尿素氮", "Urea nitrogen", "Blood urea nitrogen"), "{BUN}"),
    **dict.fromkeys(("Urea", "Ur", "尿素", "血尿素"), "{urea}"),
}
