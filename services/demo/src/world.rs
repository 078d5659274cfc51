//! The world of the year as tables: who gets how many cases about what, and how well they do.
//!
//! Departments, regions and categories are those of the rulebook, so that its routing rules would dispatch each
//! case as the table says (a test holds that). How many cases a body gets is plausible, not known; the bureau of
//! market supervision has the numbers of the report.

use crate::calendar::Season;

/// The cases of one body on 12345.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    pub(crate) department: &'static str,
    pub(crate) region: &'static str,
    /// Broad and narrow, the narrow one empty where there is none.
    pub(crate) categories: &'static [(&'static str, &'static str)],
    pub(crate) tag: Option<&'static str>,
    pub(crate) season: Season,
    pub(crate) complaints: u32,
    /// Consultations, requests for help, suggestions and reports.
    pub(crate) others: u32,
    /// Of so many answers so many are satisfied.
    pub(crate) satisfied: (u64, u64),
    /// Of a thousand closings so many are late.
    pub(crate) late: u64,
    /// Streets and towns to which a district hands cases on.
    pub(crate) streets: &'static [&'static str],
}

/// A body of the city: nothing handed on, cases all year.
const fn city(
    department: &'static str,
    categories: &'static [(&'static str, &'static str)],
    (complaints, others): (u32, u32),
    satisfied: (u64, u64),
    late: u64,
) -> Lane {
    Lane {
        department,
        region: "411200",
        categories,
        tag: None,
        season: Season::Even,
        complaints,
        others,
        satisfied,
        late,
        streets: &[],
    }
}

const fn in_season(season: Season, lane: Lane) -> Lane {
    Lane { season, ..lane }
}

const fn in_region(region: &'static str, streets: &'static [&'static str], lane: Lane) -> Lane {
    Lane { region, streets, ..lane }
}

/// What a district itself handles.
const LOCAL: &[(&str, &str)] = &[
    ("urban", "roads"),
    ("urban", "sanitation"),
    ("housing", "property"),
    ("rural", "roads"),
    ("civil", "elderly"),
    ("education", "school"),
    ("land", "buildings"),
    ("utilities", "water"),
];
/// … and Hubin, whose streets the city's own bureaus look after.
const LOCAL_HUBIN: &[(&str, &str)] = &[
    ("rural", "roads"),
    ("civil", "elderly"),
    ("education", "school"),
    ("land", "buildings"),
    ("water", ""),
];

/// Complaints about markets, on all three hotlines.
pub(crate) const MARKET: &[(&str, &str)] = &[
    ("market", "food"),
    ("market", "prices"),
    ("market", "online"),
    ("market", "goods"),
    ("market", "services"),
    ("market", "special_equipment"),
    ("market", "advertising"),
];

/// The bureau of the report: 1,619 complaints, of which ten of eleven callers are satisfied.
pub(crate) const MARKET_BUREAU: &str = "SCJG";
/// The department that is merged into another in mid-year, and the other.
pub(crate) const MERGED: (&str, &str) = ("YLJ", "CGJ");

// A body with few answers has a share well below the report's 91 %, so that no chance lifts it above.
pub(crate) const LANES: &[Lane] = &[
    city(MARKET_BUREAU, MARKET, (1619, 420), (10, 11), 6),
    city("GAJ", &[("security", "public_order"), ("security", "household")], (180, 420), (6, 7), 20),
    city("JJZD", &[("security", "traffic")], (260, 520), (7, 8), 12),
    city("SWZJ", &[("tax", "invoices"), ("tax", "personal")], (45, 260), (5, 6), 10),
    city("YBJ", &[("health", "medical_insurance")], (60, 420), (5, 6), 15),
    in_season(
        Season::Wages,
        city("RSJ", &[("labour", "wages"), ("labour", "contracts")], (420, 780), (6, 7), 40),
    ),
    city("GJJ", &[("housing", "provident_fund")], (40, 190), (5, 6), 10),
    city(
        "STHJ",
        &[("environment", "noise"), ("environment", "dust"), ("environment", "smell")],
        (520, 240),
        (4, 5),
        45,
    ),
    city("GJGS", &[("transport", "bus")], (160, 240), (5, 6), 15),
    in_season(Season::Heating, city("RLGS", &[("utilities", "heating")], (420, 560), (3, 4), 60)),
    in_season(Season::Summer, city("GSGS", &[("utilities", "water")], (130, 420), (5, 6), 25)),
    city("RQGS", &[("utilities", "gas")], (90, 260), (5, 6), 15),
    in_season(Season::Summer, city("GDGS", &[("utilities", "power")], (110, 460), (5, 6), 18)),
    city("TXGS", &[("utilities", "telecom")], (150, 250), (4, 5), 20),
    city(
        "CGJ",
        &[("urban", "roads"), ("urban", "sanitation"), ("urban", "street_trade")],
        (900, 1250),
        (6, 7),
        30,
    ),
    in_season(Season::UntilMerger, city("YLJ", &[("urban", "greening")], (90, 160), (4, 5), 40)),
    in_season(Season::SinceMerger, city("CGJ", &[("urban", "greening")], (85, 150), (5, 6), 30)),
    city(
        "ZJJ",
        &[("housing", "property"), ("housing", "quality"), ("housing", "certificates")],
        (980, 760),
        (3, 4),
        70,
    ),
    city("JTJ", &[("transport", "taxi"), ("transport", "roads")], (260, 360), (5, 6), 25),
    in_season(
        Season::School,
        city("JYJ", &[("education", "school"), ("education", "training")], (280, 420), (5, 6), 20),
    ),
    city("WJW", &[("health", "hospital"), ("health", "vaccination")], (190, 330), (5, 6), 20),
    city("MZJ", &[("civil", "elderly"), ("civil", "relief")], (60, 240), (5, 6), 15),
    city("ZRZY", &[("land", "certificates"), ("land", "planning")], (170, 240), (4, 5), 55),
    city("SLJ", &[("water", "rivers")], (45, 90), (4, 5), 25),
    city("NYNC", &[("rural", "subsidies"), ("rural", "pets")], (50, 130), (4, 5), 25),
    city("WGLJ", &[("culture", "scenic_spots"), ("culture", "venues")], (80, 150), (5, 6), 15),
    city("YJJ", &[("safety", "fireworks"), ("safety", "plants")], (50, 70), (4, 5), 20),
    city("SWJ", &[("commerce", "prepaid_cards")], (70, 60), (3, 4), 40),
    city("CZJ", &[("finance", "subsidies")], (45, 40), (4, 5), 20),
    city("SFJ", &[("justice", "legal_aid")], (40, 70), (4, 5), 10),
    city("TYJR", &[("veterans", "benefits")], (40, 80), (4, 5), 15),
    city("XZSP", &[("government", "windows"), ("government", "online_services")], (90, 260), (6, 7), 8),
    in_region("411202", &["HBQ-QJ", "HBQ-CZ", "HBQ-HX"], city("HBQ", LOCAL_HUBIN, (900, 1300), (6, 7), 30)),
    in_region("411203", &["SZQ-YD", "SZQ-DY"], city("SZQ", LOCAL, (520, 760), (5, 6), 35)),
    in_region("411221", &["MCX-CG", "MCX-YS"], city("MCX", LOCAL, (430, 640), (6, 7), 25)),
    in_region("411224", &["LSX-CG"], city("LSX", LOCAL, (380, 560), (7, 8), 20)),
    in_region("411281", &["YMS-QQL"], city("YMS", LOCAL, (300, 420), (6, 7), 30)),
    in_region("411282", &["LBS-CG", "LBS-HGG"], city("LBS", LOCAL, (620, 900), (5, 6), 40)),
    in_region("411271", &[], city("KFQ", LOCAL, (240, 260), (6, 7), 15)),
    Lane { tag: Some("示范区"), ..city("SFQ", &[("unclassified", "")], (120, 160), (5, 6), 25) },
    in_region(
        "411202",
        &[],
        city(
            "HBQ-SCJG",
            &[("market", "food"), ("market", "prices"), ("market", "goods")],
            (260, 120),
            (5, 6),
            20,
        ),
    ),
];

/// Questions that the hotline's office answers at once.
pub(crate) const ANSWERED_AT_ONCE: u32 = 1300;

/// Cases on 12315: the body that routing finds, the region, and how many complaints, reports and consultations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MarketLane {
    pub(crate) department: &'static str,
    pub(crate) region: &'static str,
    pub(crate) complaints: u32,
    pub(crate) reports: u32,
    pub(crate) consultations: u32,
}

const fn market(
    department: &'static str,
    region: &'static str,
    complaints: u32,
    reports: u32,
    consultations: u32,
) -> MarketLane {
    MarketLane { department, region, complaints, reports, consultations }
}

// The first row's three numbers make the 43,482 of the report.
pub(crate) const MARKET_LANES: &[MarketLane] = &[
    market(MARKET_BUREAU, "411200", 28_914, 6_086, 8_482),
    market("HBQ-SCJG", "411202", 620, 150, 160),
    market("SZQ-SCJG", "411203", 320, 80, 90),
    market("MCX-SCJG", "411221", 260, 70, 70),
    market("LSX-SCJG", "411224", 180, 50, 60),
    market("YMS-SCJG", "411281", 210, 50, 60),
    market("LBS-SCJG", "411282", 400, 100, 110),
    market("KFQ-SCJG", "411271", 150, 40, 40),
];

/// Petitions: who handles them, about what, where, how many letters, and the persons of each visit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PetitionLane {
    pub(crate) department: &'static str,
    pub(crate) region: &'static str,
    pub(crate) category: (&'static str, &'static str),
    pub(crate) letters: u32,
    pub(crate) visits: &'static [u32],
}

pub(crate) const PETITION_LANES: &[PetitionLane] = &[
    PetitionLane {
        department: MARKET_BUREAU,
        region: "411200",
        category: ("market", "services"),
        letters: 206,
        // 80 visitors in all.
        visits: &[1, 2, 1, 5, 1, 3, 2, 1, 8, 1, 2, 4, 1, 1, 12, 3, 2, 1, 5, 1, 6, 2, 1, 4, 3, 1, 5, 1],
    },
    PetitionLane {
        department: "RSJ",
        region: "411200",
        category: ("labour", "wages"),
        letters: 64,
        visits: &[5, 11, 3, 8],
    },
    PetitionLane {
        department: "ZJJ",
        region: "411200",
        category: ("housing", "property"),
        letters: 58,
        visits: &[6, 2, 9],
    },
    PetitionLane {
        department: "ZRZY",
        region: "411200",
        category: ("land", "demolition"),
        letters: 41,
        visits: &[4, 7],
    },
    PetitionLane {
        department: "LBS",
        region: "411282",
        category: ("rural", "land"),
        letters: 37,
        visits: &[3, 5],
    },
];
